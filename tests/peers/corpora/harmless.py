"""Requests that look odd and do no harm: nginx, haproxy and Go's proxy all pass them on, and so does this gateway, as they came."""

from corpora import REFUSED, case, chunks, get, last, passed, request

QUERIES = ['"a"', "<a>", "`a", "{a}", "a|b", "^", "[1]", "\\", "%", "a?b", "//", "../", ""]
PATHS = ['/"a"', "/<a>", "/`a", "/{a}", "/|", "/^", "/[a]", "/;a=b", "/a:b@c", "/~a!$&'()*+,=", "//"]
#: haproxy refuses them, the others do not. RFC 9112, section 3.2: they are no URIs, and nobody reads them in another way.
BYTES = ["?q=caf\xe9", "/caf\xe9", "?q=caf\xc3\xa9", "?q=\x82\xa0"]


def target(suffix, *more):
    return case(f"/x{suffix}", "9112 3.2", request(f"GET /x{suffix}"), passed(f"GET /x{suffix}"), *more)


TARGETS = [
    *(target(f"?q={query}") for query in QUERIES),
    *map(target, PATHS),
    *(target(suffix, REFUSED) for suffix in BYTES),
    case("a scheme and host in capitals", "9110 4.2.3", request("GET HTTP://A.EXAMPLE/x"), passed("GET /x")),
]

HEADS = [
    case("HTTP/1.0, kept", "9112 9.3", get("Connection: keep-alive", version="HTTP/1.0"), passed("GET /x")),
    case("HTTP/1.0, closed", "9112 9.3", get("Connection: close", version="HTTP/1.0"), last("GET /x")),
    case("a name of all that a token has", "9110 5.6.2", get("X!#$%&'*+.^`|~9: b"), passed("GET /x"), fields={"x!#$%&'*+.^`|~9": ["b"]}),
    case("a field without a value", "9110 5.5", get("X-A:"), passed("GET /x"), fields={"x-a": [""]}),
    case("colons and quotes in a value", "9110 5.5", get('X-A: :"b":\t c'), passed("GET /x"), fields={"x-a": [':"b":\t c']}),
    case("fifty fields", "9110 5.4", get(*(f"X-{number}: b" for number in range(50))), passed("GET /x")),
    case("a size with zeroes", "9112 7.1", chunks("0000005\r\nhello\r\n00\r\n\r\n"), passed("POST /x hello")),
]

CASES = TARGETS + HEADS
