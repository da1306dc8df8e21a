"""The cases of the Autobahn test suite (by its numbers; the suite itself needs Python 2.7), as data, and what runs them.

`engine` plays a case over any byte stream that carries WebSocket frames and records what came back; `transports` opens such
streams; `cases_*` are the cases; `backend` is a strict echo server.
"""

from . import cases_close, cases_deflate, cases_frames, cases_load, cases_text

ALL = [case for part in (cases_frames, cases_text, cases_close, cases_load, cases_deflate) for case in part.cases()]


def section(number):
    """The cases of one section."""
    return [case for case in ALL if case.name.startswith(f"{number}.")]


SECTIONS = list(dict.fromkeys(case.name.partition(".")[0] for case in ALL))
