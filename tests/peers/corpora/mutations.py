"""Rows of the corpora with a few bytes changed, at random but the same each time: what nobody has thought of."""

import random

from corpora import Case

#: What is put in: what separates, and what frames.
PARTS = [
    *"\r\n \t\0:,;05x-_+/\x0b\x80", "\r\n", "\r\n\r\n", "0\r\n\r\n", "chunked", "HTTP/1.1", "Content-Length: 5\r\n", "Host: a.example\r\n",
    "Transfer-Encoding: chunked\r\n", "GET /smuggled HTTP/1.1\r\nHost: s.example\r\n\r\n",
]  # fmt: skip
LONGEST = 600


def mutations(cases, count):
    """So many cases, of which no two are alike. A `GET /` can't be told from a probe's."""
    rows = [case.sent for case in cases if case.end and len(case.sent) < LONGEST and "X-Answer" not in case.sent]
    chance, made = random.Random(15), set()
    while len(made) < count:
        sent = chance.choice(rows)
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            sent = changed(sent, rows, chance)
        if not sent.startswith(("GET / ", "GET /?")):
            made.add(sent)
    return [Case(f"mutation {number}", "", sent, (), ends=True) for number, sent in enumerate(sorted(made))]


def changed(sent, rows, chance):
    at = chance.randrange(len(sent) + 1)
    match chance.choice(["insert", "insert", "replace", "remove", "repeat", "splice"]):
        case "insert":
            return sent[:at] + chance.choice(PARTS) + sent[at:]
        case "replace":
            return sent[:at] + chance.choice(PARTS) + sent[at + 1 :]
        case "remove":
            return sent[:at] + sent[at + chance.choice([1, 2, 4]) :]
        case "repeat":
            return sent[:at] + sent[at : at + chance.randrange(1, 30)] + sent[at:]
        case _:
            other = chance.choice(rows)
            return sent[:at] + other[chance.randrange(len(other) + 1) :]
