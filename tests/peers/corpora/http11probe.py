"""Http11Probe's cases (https://github.com/MDA2AV/Http11Probe) but those of smuggling, re-expressed from its documentation.

Its servers answer for themselves; a gateway passes on, so that "2xx" is here what the member has read. What it asks of servers that
serve files (ranges, validators, cookies) is that it reaches the member as it came.
"""

from corpora import CODING, CUT, REFUSED, case, chunks, get, last, own, passed, post, refused, request, sized

DATE = r"(?i)\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n"
VERSION = refused(400, 505)
TOO_LONG = refused(400, 414, 431)
NOT_TUNNELLED = own(400, 405, 501)

LINES = [
    case("COMP-BASELINE", "9112 3", get(), passed("GET /x")),
    case("RFC9112-2.2-BARE-LF-REQUEST-LINE", "9112 2.2", get().replace("\r\n", "\n", 1), passed("GET /x"), REFUSED),
    case("RFC9112-2.2-BARE-LF-HEADER", "9112 2.2", get("X-A: b").replace("example\r\n", "example\n"), passed("GET /x"), REFUSED),
    case("RFC9112-3-CR-ONLY-LINE-ENDING", "9112 2.2", get().replace("\r\n", "\r"), REFUSED),
    case("COMP-LEADING-CRLF", "9112 2.2", "\r\n" + get(), passed("GET /x")),
    case("RFC9112-3-MULTI-SP-REQUEST-LINE", "9112 3", request("GET  /x "), REFUSED),
    case("RFC9112-3-MISSING-TARGET", "9112 3", request("GET"), REFUSED),
    case("RFC9112-3.2-FRAGMENT-IN-TARGET", "9112 3.2", request("GET /x#frag"), REFUSED),
    case("RFC9112-2.3-HTTP09-REQUEST", "9112 3", "GET /x\r\n", VERSION),
    case("RFC9112-2.3-INVALID-VERSION", "9112 2.3", get(version="HTTP/9.9"), VERSION),
    case("COMP-HTTP12-VERSION", "9110 2.5", get(version="HTTP/1.2"), passed("GET /x"), VERSION),
    case("COMP-VERSION-CASE", "9112 2.3", get(version="http/1.1"), VERSION),
    case("COMP-VERSION-LEADING-ZEROS", "9112 2.3", get(version="HTTP/01.01"), VERSION),
    case("COMP-VERSION-MISSING-MINOR", "9112 2.3", get(version="HTTP/1"), VERSION),
    case("COMP-VERSION-WHITESPACE", "9112 2.3", get(version="HTTP/ 1.1"), VERSION),
    case("COMP-REQUEST-LINE-TAB", "9112 3", get().replace(" ", "\t", 2), REFUSED),
    case("COMP-SPACE-IN-TARGET", "9112 3.2", request("GET /x y"), REFUSED),
    case("COMP-LONG-URL-OK", "9112 3", request("GET /" + "x" * 7900), passed("GET /" + "x" * 7900)),
    case("COMP-ABSOLUTE-FORM", "9112 3.2.2", request("GET http://a.example/x"), passed("GET /x")),
    case("COMP-ASTERISK-WITH-GET", "9112 3.2.4", request("GET *"), REFUSED),
    case("COMP-OPTIONS-STAR", "9112 3.2.4", request("OPTIONS *"), passed("OPTIONS *"), own(200, 204, 400, 404, 405, 501)),
    case("COMP-OPTIONS-ALLOW", "9110 9.3.7", request("OPTIONS /x"), passed("OPTIONS /x")),
    case("COMP-405-ALLOW", "9110 15.5.6", request("DELETE /x"), passed("DELETE /x")),
    case("COMP-UNKNOWN-METHOD", "9110 9.1", request("FROBNICATE /x"), passed("FROBNICATE /x")),
    case("COMP-METHOD-CASE", "9110 9.1", request("get /x"), passed("get /x"), own(400, 501)),
    case("COMP-HEAD-NO-BODY", "9110 9.3.2", request("HEAD /x"), passed("HEAD /x")),
    case("COMP-METHOD-CONNECT", "9110 9.3.6", request("CONNECT a.example:443"), NOT_TUNNELLED),
    case("COMP-METHOD-CONNECT-NO-PORT", "9112 3.2.3", request("CONNECT a.example"), NOT_TUNNELLED),
    case("COMP-CONNECT-EMPTY-PORT", "9112 3.2.3", request("CONNECT a.example:"), NOT_TUNNELLED),
    case("COMP-CONNECT-ORIGIN-FORM", "9112 3.2.3", request("CONNECT /x"), NOT_TUNNELLED),
    case("COMP-METHOD-TRACE", "9110 9.3.8", request("TRACE /x"), NOT_TUNNELLED),
    case("COMP-TRACE-SENSITIVE", "9110 9.3.8", request("TRACE /x", "Cookie: a=secret"), NOT_TUNNELLED, not_answer="secret"),
    case("COMP-TRACE-WITH-BODY", "9110 9.3.8", request("TRACE /x", "Content-Length: 5", body="hello"), NOT_TUNNELLED),
]

HEADERS = [
    case("RFC9110-5.6.2-SP-BEFORE-COLON", "9112 5.1", get("X-A : b"), REFUSED),
    case("RFC9112-5.1-OBS-FOLD", "9112 5.2", get("X-A: b\r\n c"), REFUSED),
    case("RFC9112-5-EMPTY-HEADER-NAME", "9110 5.1", get(": b"), REFUSED),
    case("RFC9112-5-INVALID-HEADER-NAME", "9110 5.1", get("X[A]: b"), REFUSED),
    case("RFC9112-5-HEADER-NO-COLON", "9112 5", get("no colon here"), REFUSED),
    case("COMP-WHITESPACE-BEFORE-HEADERS", "9112 2.2", get(host=" Host: a.example"), REFUSED),
    case("COMP-CONNECTION-CLOSE", "9112 9.6", get("Connection: close"), last("GET /x")),
    case("COMP-HTTP10-DEFAULT-CLOSE", "9112 9.3", get(version="HTTP/1.0"), last("GET /x")),
    case("COMP-NO-1XX-HTTP10", "9110 15.2", sized("hello", "Expect: 100-continue", version="HTTP/1.0"), last("POST /x hello"),
         not_answer="HTTP/1.[01] 1"),
    case("COMP-EXPECT-UNKNOWN", "9110 10.1.1", get("Expect: 200-ok"), passed("GET /x"), own(417)),
    case("COMP-ACCEPT-NONSENSE", "9110 12.5.1", get("Accept: application/x-nonsense"), passed("GET /x"),
         fields={"accept": ["application/x-nonsense"]}),
    case("COMP-DUPLICATE-CT", "9110 5.3", sized("{}", "Content-Type: text/plain", "Content-Type: a/b"), passed("POST /x {}"), REFUSED),
    case("COMP-CONTENT-TYPE", "9110 8.3", get(), passed("GET /x")),
    case("COMP-DATE-HEADER", "9110 6.6.1", get(), passed("GET /x"), answer=DATE),
    case("COMP-DATE-FORMAT", "9110 5.6.7", get(), passed("GET /x"), answer=DATE),
    case("COMP-NO-CL-IN-204", "9110 8.6", get("X-Answer: 204 No Content"), passed("GET /x"),
         not_answer=r"(?i) 204 [^\r]*\r\n(?:[^\r]+\r\n)*content-length:"),
    case("RFC9112-7.1-MISSING-HOST", "9112 3.2", get(host=None), REFUSED),
    case("RFC9110-5.4-DUPLICATE-HOST", "9112 3.2", get("Host: b.example"), REFUSED),
    case("COMP-DUPLICATE-HOST-SAME", "9112 3.2", get("Host: a.example"), REFUSED),
    case("COMP-HOST-EMPTY-VALUE", "9110 7.2", get(host="Host:"), REFUSED),
    case("COMP-HOST-WITH-PATH", "9110 7.2", get(host="Host: a.example/x"), REFUSED),
    case("COMP-HOST-WITH-USERINFO", "9110 4.2.4", get(host="Host: user@a.example"), REFUSED),
    case("COMP-HTTP10-NO-HOST", "9112 3.2", get(host=None, version="HTTP/1.0"), last("GET /x"), REFUSED),
]

BODIES = [
    case("RFC9112-6.1-CL-NON-NUMERIC", "9112 6.3", post("Content-Length: abc"), REFUSED),
    case("RFC9112-6.1-CL-PLUS-SIGN", "9112 6.3", post("Content-Length: +5", body="hello"), REFUSED),
    case("COMP-UNKNOWN-TE-501", "9112 6.1", post("Transfer-Encoding: frobnicate", body="hello"), CODING),
    case("COMP-POST-CL-BODY", "9112 6.2", sized("hello"), passed("POST /x hello")),
    case("COMP-POST-CL-ZERO", "9112 6.2", sized(""), passed("POST /x")),
    case("COMP-POST-NO-CL-NO-TE", "9112 6.3", post(), passed("POST /x")),
    case("COMP-POST-CL-UNDERSEND", "9112 6.3", post("Content-Length: 10", body="hello"), CUT, end=False),
    case("COMP-POST-UNSUPPORTED-CT", "9110 15.5.16", sized("hello", "Content-Type: a/b"), passed("POST /x hello")),
    case("COMP-GET-WITH-CL-BODY", "9110 9.3.1", get("Content-Length: 5", body="hello"), passed("GET /x hello")),
    case("COMP-CHUNKED-BODY", "9112 7.1", chunks("5\r\nhello\r\n0\r\n\r\n"), passed("POST /x hello")),
    case("COMP-CHUNKED-EMPTY", "9112 7.1", chunks("0\r\n\r\n"), passed("POST /x")),
    case("COMP-CHUNKED-MULTI", "9112 7.1", chunks("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), passed("POST /x hello world")),
    case("COMP-CHUNKED-HEX-UPPERCASE", "9112 7.1", chunks("A\r\nhelloworld\r\n0\r\n\r\n"), passed("POST /x helloworld")),
    case("COMP-CHUNKED-EXTENSION", "9112 7.1.1", chunks("5;a=b\r\nhello\r\n0\r\n\r\n"), passed("POST /x hello")),
    case("COMP-CHUNKED-TRAILER-VALID", "9112 7.1.2", chunks("5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), passed("POST /x hello")),
    case("COMP-CHUNKED-NO-FINAL", "9112 8", chunks("5\r\nhello\r\n"), CUT, end=False),
    case("COMP-RANGE-INVALID", "9110 14.2", get("Range: bytes=z-"), passed("GET /x"), fields={"range": ["bytes=z-"]}),
    case("COMP-RANGE-POST", "9110 14.2", sized("hello", "Range: bytes=0-1"), passed("POST /x hello")),
]


def upgrade(*fields, line="GET /x", connection="Connection: Upgrade", to="websocket", **more):
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    return request(line, *([connection] if connection else []), f"Upgrade: {to}", key, *fields, **more)


UPGRADES = [
    case("WS-UPGRADE-POST", "6455 4.1", upgrade("Sec-WebSocket-Version: 13", "Content-Length: 0", line="POST /x"), passed("POST /x"),
         own(400, 405)),
    case("WS-UPGRADE-MISSING-CONN", "9110 7.8", upgrade("Sec-WebSocket-Version: 13", connection=None), passed("GET /x"), own(400),
         fields={"upgrade": []}),
    case("WS-UPGRADE-UNKNOWN", "9110 7.8", upgrade(to="unknown/1.0"), passed("GET /x"), fields={"upgrade": []}),
    case("WS-UPGRADE-INVALID-VER", "6455 4.4", upgrade("Sec-WebSocket-Version: 99"), own(400, 426)),
    case("WS-UPGRADE-HTTP10", "9110 7.8", upgrade("Sec-WebSocket-Version: 13", version="HTTP/1.0"), last("GET /x"), own(400),
         fields={"upgrade": []}),
]

MALFORMED = [
    case("MAL-BINARY-GARBAGE", "9112 2.2", "\x16\x03\x01\xff\xfe\x00\x80\x9d\r\n\r\n", REFUSED),
    case("MAL-EMPTY-REQUEST", "9112 3", "", CUT, end=False),
    case("MAL-INCOMPLETE-REQUEST", "9112 8", "GET /x HTTP/1.1\r\nHost: a.exa", CUT, end=False),
    case("MAL-WHITESPACE-ONLY-LINE", "9112 3", "   \t \r\n\r\n", REFUSED),
    case("MAL-LONG-URL", "9112 3", request("GET /" + "x" * 100_000), TOO_LONG),
    case("MAL-LONG-METHOD", "9112 3", request("X" * 100_000 + " /x"), refused(400, 414, 431, 501)),
    case("MAL-LONG-HEADER-NAME", "9110 5.4", get("X" * 100_000 + ": b"), TOO_LONG),
    case("MAL-LONG-HEADER-VALUE", "9110 5.4", get("X-A: " + "b" * 100_000), TOO_LONG),
    case("MAL-MANY-HEADERS", "9110 5.4", get(*(f"X-{number}: b" for number in range(10_000))), TOO_LONG),
    case("MAL-NUL-IN-URL", "9112 2.2", request("GET /x\0y"), REFUSED),
    case("MAL-NUL-IN-HEADER-VALUE", "9110 5.5", get("X-A: b\0c"), REFUSED),
    case("MAL-CONTROL-CHARS-HEADER", "9110 5.5", get("X-A: b\x01\x02\x03\x08\x0e\x1f\x7fc"), REFUSED),
    case("MAL-NON-ASCII-HEADER-NAME", "9110 5.1", get("X-\xc3\xa9: b"), REFUSED),
    case("MAL-NON-ASCII-URL", "9112 3.2", request("GET /caf\xc3\xa9"), passed("GET /caf\xc3\xa9"), REFUSED),
    case("MAL-CL-OVERFLOW", "9110 8.6", post("Content-Length: 99999999999999999999"), refused(400, 413)),
    case("MAL-CL-EMPTY", "9110 8.6", post("Content-Length:"), REFUSED),
    case("MAL-CL-TAB-BEFORE-VALUE", "9110 5.6.3", post("Content-Length:\t5", body="hello"), passed("POST /x hello")),
    case("MAL-POST-CL-HUGE-NO-BODY", "9112 8", post("Content-Length: 999999999"), CUT, end=False),
    case("MAL-CHUNK-SIZE-OVERFLOW", "9112 7.1", chunks("FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"), CUT),
    case("MAL-CHUNK-EXT-64K", "9112 7.1.1", chunks("5;" + "a" * 65_536 + "\r\nhello\r\n0\r\n\r\n"), passed("POST /x hello"), CUT),
    case("MAL-H2-PREFACE", "9113 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
    case("MAL-RANGE-OVERLAPPING", "9110 14.2", get("Range: bytes=" + "0-," * 50 + "0-1"), passed("GET /x")),
    case("MAL-URL-BACKSLASH", "9112 3.2", request("GET /x\\y"), passed("GET /x\\y"), REFUSED),
    case("MAL-URL-OVERLONG-UTF8", "3629 3", request("GET /x%c0%af"), passed("GET /x%c0%af"), own(400)),
    case("MAL-URL-PERCENT-CRLF", "9112 11.1", request("GET /x%0d%0aX:%20y"), passed("GET /x%0d%0aX:%20y"), own(400)),
    case("MAL-URL-PERCENT-NULL", "3986 7.3", request("GET /x%00y"), passed("GET /x%00y"), own(400)),
]

NAMES = [
    case("NORM-UNDERSCORE-CL", "9110 5.1", post("Content-Length: 11", "Content_Length: 99", body="hello world"),
         passed("POST /x hello world"), REFUSED,
         fields={"content-length": ["11"]}),
    case("NORM-UNDERSCORE-TE", "9110 5.1", post("Content-Length: 11", "Transfer_Encoding: chunked", body="hello world"),
         passed("POST /x hello world"), REFUSED, fields={"transfer-encoding": []}),
    case("NORM-SP-BEFORE-COLON-CL", "9112 5.1", post("Content-Length: 11", "Content-Length : 99", body="hello world"), REFUSED),
    case("NORM-TAB-IN-NAME", "9110 5.1", post("Content-Length: 11", "Content\t-Length: 99", body="hello world"), REFUSED),
    case("NORM-CASE-TE", "9112 6.1", post("Content-Length: 11", "TRANSFER-ENCODING: chunked", body="hello world"), REFUSED),
]


def carried(name, section, *lines, refusable=False):
    """What reaches the member as it came, field by field."""
    fields = {}
    for line in lines:
        field, _, value = line.partition(":")
        fields.setdefault(field.lower(), []).append(value.strip())
    return case(name, section, get(*lines), passed("GET /x"), *([REFUSED] if refusable else []), fields=fields)


COOKIES = [
    carried("COOK-ECHO", "6265 5.4", "Cookie: a=1"),
    carried("COOK-PARSED-BASIC", "6265 4.2.1", "Cookie: a=1"),
    carried("COOK-PARSED-MULTI", "6265 4.2.1", "Cookie: a=1; b=2; c=3"),
    carried("COOK-PARSED-EMPTY-VAL", "6265 4.1.1", "Cookie: a="),
    carried("COOK-PARSED-SPECIAL", "6265 4.1.1", "Cookie: a=x/y+z=="),
    case("COOK-MULTI-HEADER", "6265 5.4", get("Cookie: a=1", "Cookie: b=2"), passed("GET /x"), fields={"cookie": ["a=1; b=2"]}),
    carried("COOK-MANY-PAIRS", "6265 6.1", "Cookie: " + "; ".join(f"c{number}=v" for number in range(1000))),
    carried("COOK-EMPTY", "6265 4.2.1", "Cookie:"),
    carried("COOK-MALFORMED", "6265 4.2.1", "Cookie: ===;;; =x"),
    case("COOK-OVERSIZED", "9110 5.4", get("Cookie: a=" + "x" * 65_536), TOO_LONG),
    case("COOK-NUL", "9110 5.5", get("Cookie: a=\0b"), REFUSED),
    case("COOK-CONTROL-CHARS", "9110 5.5", get("Cookie: a=\x01\x02\x03"), REFUSED),
]

VALIDATORS = [
    carried("CAP-ETAG-304", "9110 13.1.2", 'If-None-Match: "abc"'),
    carried("CAP-ETAG-IN-304", "9110 15.4.5", 'If-None-Match: "abc"'),
    carried("CAP-ETAG-WEAK", "9110 8.8.3.2", 'If-None-Match: W/"abc"'),
    carried("CAP-INM-WILDCARD", "9110 13.1.2", "If-None-Match: *"),
    carried("CAP-INM-UNQUOTED", "9110 8.8.3", "If-None-Match: abc"),
    carried("CAP-INM-PRECEDENCE", "9110 13.1.3", 'If-None-Match: "abc"', "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"),
    carried("CAP-LAST-MODIFIED-304", "9110 13.1.3", "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT"),
    carried("CAP-IMS-FUTURE", "9110 13.1.3", "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT"),
    carried("CAP-IMS-INVALID", "9110 13.1.3", "If-Modified-Since: not-a-date"),
]

CASES = LINES + HEADERS + BODIES + UPGRADES + MALFORMED + NAMES + COOKIES + VALIDATORS
