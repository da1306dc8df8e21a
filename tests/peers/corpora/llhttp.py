"""The requests of llhttp's tests (https://github.com/nodejs/llhttp, test/request), re-expressed.

llhttp is a parser: it asks for no Host and answers nothing. Each request has a Host here, and ends, unless it is about that. What
llhttp takes in a lenient mode alone is judged as what a strict gateway does with it.
"""

from corpora import CHUNKED, CODING, CUT, HOST, REFUSED, case, chunks, get, last, own, passed, post, refused, request, sized

VERSION = refused(400, 505)
NOT_TUNNELLED = own(400, 405, 501)
UNICORNS = "ilovew3;somuchlove=aretheseparametersfor;another=withvalue"
QUOTED = 'ilovew3="I \\"love\\"; \\\\extensions\\\\";somuchlove="aretheseparametersfor";blah;foo=bar'
PROXY = ("User-agent: Mozilla/1.1N", "Proxy-authorization: basic aGVsbG86d29ybGQ=")
#: The handshake that preceded RFC 6455: its key is behind the header.
HIXIE = ("Sec-WebSocket-Key2: 12998 5 Y3 1  .P00", "Sec-WebSocket-Protocol: sample", "Upgrade: WebSocket",
         "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5", "Origin: http://example.com")  # fmt: skip


def put(*fields, **more):
    return request("PUT /url", *fields, **more)


def parts(*chunked, end="0"):
    """Chunks with the lines of their sizes, as a body."""
    return "".join(f"{size}\r\n{data}\r\n" for size, data in chunked) + f"{end}\r\n\r\n"


CONNECTION = [
    case("keep-alive", "9112 9.3", put("Connection: keep-alive"), passed("PUT /url")),
    case("keep-alive, twice", "9112 9.3", put("Connection: keep-alive") * 2, passed("PUT /url", "PUT /url")),
    case("nothing behind HTTP/1.0", "9112 9.3", put(version="HTTP/1.0") + put(), last("PUT /url")),
    case("no flags of HTTP/1.0 behind it", "9112 9.3", put("Content-Length: 0", version="HTTP/1.0") + put(CHUNKED), last("PUT /url")),
    case("CRLF between requests", "9112 2.2", sized("q=42") + "\r\n", passed("POST /x q=42")),
    case("close", "9112 9.6", put("Connection: close"), last("PUT /url")),
    case("nothing behind close", "9112 9.6", sized("q=42", "Connection: close") + "\r\n" + get(), last("POST /x q=42")),
    case("close among other options", "9112 9.6", put("Connection: close, token, upgrade, token, keep-alive"), last("PUT /url")),
    case("folded options", "9112 5.2", get("Connection: Something,\r\n Upgrade, ,Keep-Alive", *HIXIE), REFUSED),
    case("folded options, space before", "9112 5.2", get("Connection: keep-alive, \r\n upgrade", "Upgrade: WebSocket"), REFUSED),
    case("upgrade behind keep-alive", "6455 4.2.1", get("Connection: keep-alive, upgrade", "Upgrade: WebSocket"), own(400, 426)),
    case("upgrade to another protocol", "9110 7.8", put("Connection: upgrade", "Upgrade: ws"), passed("PUT /url"), fields={"upgrade": []}),
    case("upgrade with a body", "9110 7.8", put("Connection: upgrade", "Content-Length: 4", "Upgrade: ws", body="abcd"), passed("PUT /url abcd")),
    case("upgrade of the draft before RFC 6455", "6455 4.2.1", get("Connection: Upgrade", *HIXIE), own(400, 426)),
    case("upgrade of a POST", "9110 7.8", sized("sweet post body", "Connection: Upgrade", "Upgrade: HTTP/2.0"), passed("POST /x sweet post body")),
]

LENGTHS = [
    case("zeroes", "9110 8.6", put("Content-Length: 003", body="abc"), passed("PUT /url abc")),
    case("zeroes and a field behind", "9110 8.6", put("Content-Length: 003", "Ohai: world", body="abc"), passed("PUT /url abc")),
    case("overflow", "9110 8.6", put("Content-Length: 1000000000000000000000"), refused(400, 413)),
    case("duplicate", "9112 6.3", put("Content-Length: 1", "Content-Length: 2"), REFUSED),
    case("length and identity", "9112 7", put("Content-Length: 1", "Transfer-Encoding: identity"), CODING),
    case("length and chunked", "9112 6.3", put("Content-Length: 1", CHUNKED), REFUSED),
    case("funky name, HTTP/1.0", "9112 6.2", get("conTENT-Length: 5", body="HELLO", version="HTTP/1.0"), last("GET /x HELLO")),
    case("spaces around", "9112 5.1", post("Content-Length:  42 ", body="x" * 42), passed("POST /x " + "x" * 42)),
    case("a space within", "9112 6.3", post("Content-Length: 4 2", body="x" * 42), REFUSED),
    case("a space within, two digits", "9112 6.3", post("Content-Length: 13 37"), REFUSED),
    case("empty", "9112 6.3", post("Content-Length:"), REFUSED),
    case("CR for the dash", "9112 2.2", put("Content\rLength: 003", body="abc"), REFUSED),
]

ONE = "1\r\nA\r\n0\r\n\r\n"

INVALID = [
    case("ICE, GET", "9112 2.3", get(version="ICE/1.0"), VERSION),
    case("IHTTP", "9112 2.3", get(version="IHTTP/1.0"), VERSION),
    case("RTSP, PUT", "9112 2.3", put(version="RTSP/1.0"), VERSION),
    case("a method of RTSP", "9110 9.1", request("ANNOUNCE /music", version="HTTP/1.0"), last("ANNOUNCE /music")),
    case("fields that CR separates", "9112 2.2", get("Foo: 1\rBar: 2"), REFUSED),
    case("a coding behind LF", "9112 2.2", post("x:x\n" + CHUNKED, body=ONE), passed("POST /x A"), REFUSED),
    case("CR and a request for the empty line", "9112 2.2", get("Connection: close\r\n\rZGET /evil: HTTP/1.1"), REFUSED),
    case("a coding behind CR", "9112 2.2", post("Connection: Close", "x:\r" + CHUNKED, body=ONE), REFUSED),
    case("an empty field, then a coding behind LF", "9112 2.2", post("x:\n" + CHUNKED, body=ONE), passed("POST /x A"), REFUSED),
    case("@ in a name", "9110 5.1", get("Fo@: Failure"), REFUSED),
    case("a control and a backslash in a name", "9110 5.1", get("Foo\x01\\test: Bar"), REFUSED),
    case("an empty name", "9110 5.1", get(": Bar"), REFUSED),
    case("a method with a letter too many", "9110 9.1", request("MKCOLA /x"), passed("MKCOLA /x")),
    case("a folded name", "9112 5.1", get("name\r\n : value"), REFUSED),
    case("a corrupted Connection", "9112 5", get("Connection\r\x1b5\xd5eep-Alive", "Accept-Encoding: gzip"), REFUSED),
    case("a corrupted name", "9112 5", get("X-Some-Header\r\x1b5\xd5eep-Alive", "Accept-Encoding: gzip"), REFUSED),
    case("a length behind LF", "9112 2.2", get("Dummy: x\nContent-Length: 5", body="hello"), passed("GET /x hello"), REFUSED),
    case("HTTP/5.6", "9112 2.3", get(version="HTTP/5.6"), VERSION),
    case("a space before the first field", "9112 2.2", get(host=" " + HOST), REFUSED),
    case("LF alone, chunks too", "9112 7.1",
         post(CHUNKED, "Foo: abc", body=parts(("1", "A"), ("1;abc", "B"), ("1;def=ghi", "C"))).replace("\r", ""),
         CUT),
    case("a folded length", "9112 5.2", post("Foo: bar\r\n Content-Length: 38") + get(), REFUSED),
    case("a form feed as a value", "9110 5.5", get("Header1: \f"), REFUSED),
    case("a form feed in a value", "9110 5.5", get("Header1: hello\fworld"), REFUSED),
    case("a form feed in the second request", "9110 5.5", get("Header1: Okay") + get("Header1: \f"), passed("GET /x", own=(400,), goes_on=False)),
    case("two hosts", "9112 3.2", get("host: llhttp.org"), REFUSED),
]

METHODS = [
    *[case(method, "9110 9.1", request(f"{method} /test"), passed(f"{method} /test"))
      for method in ("REPORT", "PURGE", "SEARCH", "SOURCE", "QUERY", "HEAD")],
    case("CONNECT", "9110 9.3.6", request("CONNECT 0-home0.netscape.com:443", *PROXY, version="HTTP/1.0", body="some data\r\n"), NOT_TUNNELLED),
    case("CONNECT in capitals", "9110 9.3.6", request("CONNECT HOME0.NETSCAPE.COM:443", *PROXY, version="HTTP/1.0"), NOT_TUNNELLED),
    case("CONNECT with a body", "9110 9.3.6",
         request("CONNECT foo.bar.com:443", *PROXY, "Content-Length: 10", version="HTTP/1.0", body="blarfcicle"), NOT_TUNNELLED),
    case("CONNECT to a name with an underscore", "9110 9.3.6", request("CONNECT home_0.netscape.com:443", *PROXY, version="HTTP/1.0"),
         NOT_TUNNELLED),
    case("M-SEARCH *", "9112 3.2.4", request("M-SEARCH *", host="HOST: 239.255.255.250:1900"), REFUSED),
    case("PATCH", "5789 2", request("PATCH /file.txt", 'If-Match: "e0"', "Content-Length: 10", body="cccccccccc"),
         passed("PATCH /file.txt cccccccccc")),
    case("LINK", "2068 19.6.1.2", request("LINK /dog.jpg", "Link: <http://a.example/joe>", "Link: <http://a.example/sally>"),
         passed("LINK /dog.jpg"),
         fields={"link": ["<http://a.example/joe>", "<http://a.example/sally>"]}),
    case("UNLINK", "2068 19.6.1.3", request("UNLINK /dog.jpg", "Link: <http://a.example/sally>"), passed("UNLINK /dog.jpg")),
]

SAMPLES = [
    case("a tab before a value", "9110 5.6.3", request("OPTIONS /url", "Header1: Value1", "Header2:\t Value2"), passed("OPTIONS /url"),
         fields={"header1": ["Value1"], "header2": ["Value2"]}),
    case("a host with =", "9110 7.2", get(host="Host: 0.0.0.0=5000"), passed("GET /x"), REFUSED),
    case("Firefox 3", "9110 7.6.1", get("Keep-Alive: 300", "Connection: keep-alive", "Accept-Charset: ISO-8859-1,utf-8;q=0.7,*;q=0.7"),
         passed("GET /x"),
         fields={"keep-alive": [], "accept-charset": ["ISO-8859-1,utf-8;q=0.7,*;q=0.7"]}),
    case("no space behind the colon", "9112 5", get("aaaaaaaaaaaaa:++++++++++"), passed("GET /x"), fields={"aaaaaaaaaaaaa": ["++++++++++"]}),
    case("no fields", "9112 3.2", request("GET /world", host=None), REFUSED),
    case("one field", "9112 3.2", get("Accept: */*", host=None), REFUSED),
    case("Apache bench", "9112 6.3", get("User-Agent: ApacheBench/2.3", version="HTTP/1.0"), last("GET /x")),
    case("CRLF first", "9112 2.2", "\r\n" + request("GET /test"), passed("GET /test")),
    case("CRLF first, and a field", "9112 2.2", "\r\n" + request("GET /url", "Header1: Value1"), passed("GET /url")),
    case("no version", "9112 3", "GET /x\r\n\r\n", VERSION),
    case("folded values", "9112 5.2",
         get("Line1:   abc\r\n\tdef\r\n ghi\r\n\t\tjkl\r\n  mno \r\n\t \tqrs", "Line3:\r\n line3", "Connection:\r\n close"), REFUSED),
    case("folded values, LF", "9112 5.2", get("Line1:   abc\n\tdef\n ghi", "Line3:\n line3").replace("\r", ""), REFUSED),
    case("Latin-1 in a value", "9110 5.5", get("Test: D\xfcsseldorf"), passed("GET /x"), fields={"test": ["D\xfcsseldorf"]}),
    case("255 in a value", "9110 5.5", request("OPTIONS /url", "Header2: \xffValue2"), passed("OPTIONS /url"), fields={"header2": ["\xffValue2"]}),
    case("a folded certificate", "9112 5.2", get("X-SSL-Nonsense:   -----BEGIN CERTIFICATE-----\r\n\tMIIF\r\n\t-----END CERTIFICATE-----"),
         REFUSED),
]


def three():
    """Three requests in a row, the last of which is cut short in its body."""
    return (request("POST /aaa", "Content-Length: 3", body="AAA\r\n") + request("PUT /bbb", "Content-Length: 4", body="BBBB\r\n")
            + request("PATCH /ccc", "Content-Length: 5", body="CCCC"))  # fmt: skip


ENDS = [
    case("pipelined, CRLF between", "9112 9.3.2", three(), passed("POST /aaa AAA", "PUT /bbb BBBB", own=CUT.own, may_be_silent=True, goes_on=False),
         end=False),
    case("the end behind a body that is short", "9112 8", put("Content-Length: 100"), CUT, end=False),
    case("the end in a name", "9112 8", "PUT /x HTTP/1.1\r\nContent-Leng", CUT, end=False),
]

TWO = [("5", "hello"), ("6", " world")]
BOTH = "POST /x hello world"

CODINGS = [
    case("an empty coding and a length", "9112 6.1", post("Transfer-Encoding:", "Content-Length: 5", body="hello"), CODING),
    case("chunked, and no chunk", "9112 8", put(CHUNKED), CUT, end=False),
    case("a size in lower case", "9112 7.1", put(CHUNKED, body=parts(("a", "0123456789"))), passed("PUT /url 0123456789")),
    case("a size in upper case", "9112 7.1", put(CHUNKED, body=parts(("A", "0123456789"))), passed("PUT /url 0123456789")),
    case("all your base", "9112 7.1", chunks(parts(("1e", "all your base are belong to us"))), passed("POST /x all your base are belong to us")),
    case("three zeroes as the last size", "9112 7.1", chunks(parts(*TWO, end="000")), passed(BOTH)),
    case("trailers", "9110 6.5.1", chunks(parts(*TWO, end="0\r\nVary: *\r\nContent-Type: text/plain")), passed(BOTH), CUT,
         fields={"content-type": []}),
    case("extensions", "9112 7.1.1", chunks(parts(("5;" + UNICORNS, "hello"), ("6;blahblah;blah", " world"))), passed(BOTH)),
    case("extensions with no semicolon", "9112 7.1", chunks(parts(("2 erfrferferf", "aa"), end="0 rrrr")), CUT),
    case("no extension behind a semicolon", "9112 7.1.1", chunks(parts(("2;", "aa"))), passed("POST /x aa"), CUT),
    case("quoted extensions", "9112 7.1.1", chunks(parts(("5;" + QUOTED, "hello"), TWO[1])), passed(BOTH)),
    case("a quote that does not end", "9112 7.1.1", chunks(parts(('5;a="abc";b="def; ghi', "hello"), TWO[1])), passed(BOTH), CUT),
    case("pigeons", "9112 6.1", put("Transfer-Encoding: pigeons"), CODING),
    case("identity and a length", "9112 7", post("Transfer-Encoding: identity", "Content-Length: 5", body="World"), CODING),
    case("identity and another length", "9112 7", post("Transfer-Encoding: identity", "Content-Length: 1", body="World"), CODING),
    case("a length and three empty codings", "9112 6.1", post("Content-Length: 10", *["Transfer-Encoding:"] * 3, body=parts(("2", "AA"))), CODING),
    case("chunked before deflate", "9112 6.3", post("Transfer-Encoding: chunked, deflate", body="World"), CODING),
    case("chunked before deflate, two fields", "9112 6.3", post(CHUNKED, "Transfer-Encoding: deflate", body="World"), CODING),
    case("deflate before chunked", "9112 6.1", post("Transfer-Encoding: deflate, chunked", body=parts(("5", "World"))), own(400, 501)),
    case("deflate before chunked, two fields", "9112 6.1", post("Transfer-Encoding: deflate", CHUNKED, body=parts(("5", "World"))), own(400, 501)),
    case("chunkedchunked", "9112 6.1", post("Transfer-Encoding: chunkedchunked", body=parts(("5", "World"))), CODING),
    case("no last chunk", "9112 7.1", put(CHUNKED, body="3\r\nfoo\r\n\r\n\r\n"), CUT),
    case("LF and spaces behind a size", "9112 7.1", put(CHUNKED, body="3 \n  \r\nfoo\r\n\r\n"), CUT),
    case("a fold behind chunked", "9112 5.2", put(CHUNKED + "\r\n  abc", body=parts(("5", "World"))), REFUSED),
    case("two CR behind a size", "9112 2.2",
         get("Connection: close", CHUNKED + " ", body="5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n") + get("Content-Length: 5"), CUT),
    case("two CR behind a size of six", "9112 2.2", get("Connection: close", CHUNKED + " ", body="6\r\r;ABCD\r\n33\r\nE\r\n0\r\n\r\n"), CUT),
    case("no CRLF behind a chunk", "9112 7.1", get("Connection: close", CHUNKED + " ", body="5\r\nABCDE0\r\n\r\n"), CUT),
    case("a space behind a size", "9112 7.1", put(CHUNKED, body=parts(("a ", "0123456789"))), passed("PUT /url 0123456789"), CUT),
]


def target(name, sent, *outcomes, section="9112 3.2"):
    return case(name, section, request(f"GET {sent}"), *(outcomes or (passed(f"GET {sent}"),)))


TARGETS = [
    target("quotes", '/with_"lovely"_quotes?foo=\\"bar\\"', passed('GET /with_"lovely"_quotes?foo=\\"bar\\"'), REFUSED),
    target("a question mark in the query", "/test.cgi?foo=bar?baz"),
    target("a vertical bar", "/test.cgi?query=|"),
    target("UTF-8 and a fragment", "/\xce\xb4\xc2\xb6/\xce\xb4t/pope?q=1#narf", REFUSED),
    target("a fragment", "/forums/1/topics/2375?page=1#posts-17408", REFUSED),
    target("a space", "/foo bar/", REFUSED),
    case("a host that a query ends", "9112 3.2.2", request("GET http://hypnotoad.org?hail=all", host="Host: hypnotoad.org"),
         passed("GET /?hail=all")),
    case("a port that a query ends", "9112 3.2.2", request("GET http://hypnotoad.org:1234?hail=all", host="Host: hypnotoad.org:1234"),
         passed("GET /?hail=all")),
    case("a port that a space ends", "9112 3.2.1", request("OPTIONS http://hypnotoad.org:1234", host="Host: hypnotoad.org:1234"),
         passed("OPTIONS *"), passed("OPTIONS /"), own(200, 204, 400, 404, 405, 501)),
    case("credentials", "9110 4.2.4", request("GET http://a%12:b!&*$@hypnotoad.org:1234/toto", host="Host: hypnotoad.org:1234"), REFUSED),
]

CASES = CONNECTION + LENGTHS + INVALID + METHODS + SAMPLES + ENDS + CODINGS + TARGETS
