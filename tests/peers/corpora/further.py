"""Cases of this project's own, beside the public ones: what a reader of requests is most easily wrong about."""

from corpora import CHUNKED, CODING, CUT, HOST, REFUSED, case, chunks, get, last, own, passed, post, request, sized
from corpora.http11probe import TOO_LONG, VERSION, upgrade

HELLO = "5\r\nhello\r\n0\r\n\r\n"
READ = passed("POST /x hello")
#: A request is read and answered; what comes behind it is refused.
REFUSED_BEHIND = passed("POST /x hello", own=(400,), goes_on=False)

LINES = [
    case("CR alone before a request", "9112 2.2", "\r" + get(), REFUSED),
    case("CR alone behind a body", "9112 2.2", sized("hello") + "\r", REFUSED_BEHIND),
    case("CR alone behind chunks", "9112 2.2", chunks(HELLO) + "\r", REFUSED_BEHIND),
    case("LF alone before a request", "9112 2.2", "\n" + get(), passed("GET /x"), REFUSED),
    case("a space before a request", "9112 3", " " + get(), REFUSED),
    case("a space behind the version", "9112 3", get(version="HTTP/1.1 "), REFUSED),
    case("two spaces before the version", "9112 3", request("GET /x "), REFUSED),
    case("a version with a digit too many", "9112 2.3", get(version="HTTP/1.10"), VERSION),
    case("HTTP/1.2 with a coding", "9112 2.3", post(CHUNKED, body=HELLO, version="HTTP/1.2"), READ, VERSION),
    *(case(f"{byte!r} in a target", "9112 3.2", request(f"GET /x{byte}y"), REFUSED) for byte in "\t\x0b\x0c\x01\x7f"),
    *(case(f"{byte!r} in a name", "9110 5.1", get(f"X{byte}A: b"), REFUSED) for byte in " \t\x0b\x0c\x7f\x80\xa0(,;"),
    *(case(f"{byte!r} around a value", "9110 5.5", get(f"X-A: {byte}b{byte}"), REFUSED) for byte in "\x0b\x0c\x01\x7f"),
    case("a value of the last line is folded to nothing", "9112 5.2", get("X-A: b\r\n "), REFUSED),
    case("an empty line that has a space", "9112 2.2", get("X-A: b")[:-2] + " \r\n\r\n", REFUSED),
]  # fmt: skip

REFUSED_HEADS = [
    case("HEAD with a malformed field", "9110 9.3.2", request("HEAD /x", "no colon here"), REFUSED),
    case("HEAD with a malformed version", "9110 9.3.2", request("HEAD /x", version="HTTP"), VERSION),
    case("HEAD with two lengths", "9110 9.3.2", request("HEAD /x", "Content-Length: 5", "Content-Length: 6", body="hello"), REFUSED),
    case("HEAD with a coding that is unknown", "9110 9.3.2", request("HEAD /x", "Transfer-Encoding: gzip"), CODING),
    case("HEAD with a malformed Host", "9110 9.3.2", request("HEAD /x", host="Host: a@b"), own(400)),
    case("HEAD that is too large", "9110 5.4", request("HEAD /x", "X-A: " + "b" * 100_000), TOO_LONG),
]

HOSTS = [
    case("a target with no Host", "9112 3.2", request("GET http://a.example/x", host=None), REFUSED),
    case("a target with another port", "9112 3.2.2", request("GET http://a.example:81/x"), REFUSED),
    case("a second Host in lower case", "9112 3.2", get("host: b.example"), REFUSED),
    case("a second Host that is empty", "9112 3.2", get("Host:"), REFUSED),
    case("a Host that Connection names", "9110 7.6.1", get("Connection: Host"), passed("GET /x"), REFUSED, fields={"host": ["a.example"]}),
    case("a Host with an underscore for its hyphen", "9110 5.1", request("GET /x", "X_Host: b.example"), passed("GET /x")),
]

BODIES = [
    case("chunked on GET", "9110 9.3.1", get(CHUNKED, body=HELLO), passed("GET /x hello")),
    case("chunked on HEAD", "9110 9.3.2", request("HEAD /x", CHUNKED, body=HELLO), passed("HEAD /x hello")),
    case("chunked on DELETE", "9110 9.3.5", request("DELETE /x", CHUNKED, body=HELLO), passed("DELETE /x hello")),
    case("chunked in capitals", "9112 7", post("TRANSFER-ENCODING: CHUNKED", body=HELLO), READ),
    case("chunked in two fields", "9112 6.1", post(CHUNKED, CHUNKED, body=HELLO), CODING),
    case("chunked with a space that is none", "9110 5.6.3", post("Transfer-Encoding: \xa0chunked", body=HELLO), CODING),
    case("chunked in quotes", "9112 7", post('Transfer-Encoding: "chunked"', body=HELLO), CODING),
    case("a coding that Connection names", "9110 7.6.1", chunks(HELLO, "Connection: Transfer-Encoding"), READ, REFUSED),
    case("a length that Connection names", "9110 7.6.1", sized("hello", "Connection: close, Content-Length"), last("POST /x hello"), REFUSED),
    case("one length twice", "9112 6.3", sized("hello", "Content-Length: 5"), READ, REFUSED),
    case("a length in two cases", "9112 6.3", sized("hello", "CONTENT-LENGTH: 6"), REFUSED),
    case("a length with a comma", "9110 8.6", post("Content-Length: 5,", body="hello"), REFUSED),
    case("a length with a fraction", "9110 8.6", post("Content-Length: 5.0", body="hello"), REFUSED),
    case("a length in other digits", "9110 8.6", post("Content-Length: \xb2", body="he"), REFUSED),
    case("a length of 2 to the 64th and 5", "9110 8.6", post("Content-Length: 18446744073709551621", body="hello"), REFUSED),
    case("Expect with no body", "9110 10.1.1", get("Expect: 100-continue"), passed("GET /x")),
    case("Expect in capitals, chunked", "9110 10.1.1", chunks(HELLO, "EXPECT: 100-CONTINUE"), READ),
    case("twenty in a row", "9112 9.3.2", "".join(sized("x" * count) for count in range(20)),
         passed(*(f"POST /x {'x' * count}" for count in range(20)))),
]

CHUNKS = [
    case("a size beyond 64 bits that is 5 in 64", "9112 7.1", chunks("10000000000000005\r\nhello\r\n0\r\n\r\n"), CUT),
    case("a size with thirty zeroes", "9112 7.1", chunks("0" * 30 + "5\r\nhello\r\n0\r\n\r\n"), READ, CUT),
    case("an extension of the last chunk", "9112 7.1.1", chunks("5\r\nhello\r\n0;a=b\r\n\r\n"), READ),
    case("an extension with spaces", "9112 7.1.1", chunks("5 ; a = b\r\nhello\r\n0\r\n\r\n"), READ, CUT),
    case("a tab before a size", "9112 7.1", chunks("\t5\r\nhello\r\n0\r\n\r\n"), CUT),
    case("two sizes", "9112 7.1", chunks("5 5\r\nhello\r\n0\r\n\r\n"), CUT),
    case("an empty line before a size", "9112 7.1", chunks("\r\n5\r\nhello\r\n0\r\n\r\n"), CUT),
    case("LF alone behind a size", "9112 7.1", chunks("5\nhello\r\n0\r\n\r\n"), CUT),
    case("LF alone behind the last size", "9112 7.1", chunks("5\r\nhello\r\n0\n\r\n"), CUT),
    case("CR alone behind a chunk", "9112 7.1", chunks("5\r\nhello\r0\r\n\r\n"), CUT),
    case("CR alone at the end", "9112 7.1", chunks("5\r\nhello\r\n0\r\n\r"), CUT),
    case("a trailer without a colon", "9112 7.1.2", chunks("5\r\nhello\r\n0\r\nX-A\r\n\r\n"), CUT),
    case("a space before a trailer's colon", "9112 5.1", chunks("5\r\nhello\r\n0\r\nX-A : b\r\n\r\n"), CUT),
    case("a folded trailer", "9112 5.2", chunks("5\r\nhello\r\n0\r\nX-A: b\r\n c\r\n\r\n"), CUT),
    case("CR alone in a trailer", "9112 2.2", chunks("5\r\nhello\r\n0\r\nX-A: b\rc\r\n\r\n"), CUT),
    case("NUL in a trailer", "9110 5.5", chunks("5\r\nhello\r\n0\r\nX-A: b\0\r\n\r\n"), CUT),
    case("trailers beyond all bounds", "9112 7.1.2", chunks("5\r\nhello\r\n0\r\n" + f"X-A: {'b' * 1000}\r\n" * 200 + "\r\n"), CUT),
]

UPGRADES = [
    case("an upgrade to HTTP/2", "9113 3.1", get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
         passed("GET /x"),
         fields={"upgrade": [], "http2-settings": []}),
    case("a handshake that the member does not accept", "6455 4.1", upgrade("Sec-WebSocket-Version: 13"), passed("GET /x"),
         passed("GET /x", goes_on=False)),
    case("a handshake with a body", "9110 7.8", upgrade("Sec-WebSocket-Version: 13", "Content-Length: 5", body="hello"),
         passed("GET /x hello"), passed("GET /x hello", goes_on=False), own(400)),
]

CASES = LINES + REFUSED_HEADS + HOSTS + BODIES + CHUNKS + UPGRADES
