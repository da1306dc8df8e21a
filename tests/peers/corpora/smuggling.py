"""Http11Probe's cases of request smuggling, re-expressed from its documentation as those of `http11probe` are.

Where a case is a sequence there (poison first, then a request that shows it), the request behind it is here the one that follows every
case.
"""

from corpora import CHUNKED, CODING, CUT, END, HOST, REFUSED, case, chunks, get, passed, post, refused, request, sized

HELLO = "5\r\nhello\r\n0\r\n\r\n"
NOTHING = "0\r\n\r\n"
SMUGGLED = f"GET /smuggled HTTP/1.1\r\n{HOST}\r\n\r\n"
READ = passed("POST /x hello")


def coding(value, *fields, name="Transfer-Encoding:", body="hello", **more):
    """A coding that some reader may not take for chunked, beside a length."""
    return post(f"{name}{value}", *fields, f"Content-Length: {len(body)}", body=body, **more)


def cl_te(*fields, smuggled=SMUGGLED, length=None):
    """Framed twice: by its chunks it ends before what is smuggled, by its length behind it."""
    body = NOTHING + smuggled
    return post(f"Content-Length: {length or len(body)}", *(fields or (CHUNKED,)), body=body)


LENGTHS = [
    case("SMUG-DUPLICATE-CL", "9112 6.3", post("Content-Length: 5", "Content-Length: 10", body="helloworld"), REFUSED),
    case("SMUG-DUPLICATE-CL-SMUGGLED-GET", "9112 6.3", sized("hello" + SMUGGLED, "Content-Length: 5"), REFUSED),
    case("SMUG-CL-COMMA-DIFFERENT", "9112 6.3", post("Content-Length: 5, 10", body="helloworld"), REFUSED),
    case("SMUG-CL-COMMA-SAME", "9110 8.6", post("Content-Length: 5, 5", body="hello"), REFUSED),
    case("SMUG-CL-COMMA-TRIPLE", "9110 8.6", post("Content-Length: 5, 5, 5", body="hello"), REFUSED),
    case("SMUG-CL-LEADING-ZEROS", "9110 8.6", post("Content-Length: 005", body="hello"), READ),
    case("SMUG-CL-LEADING-ZEROS-OCTAL", "9110 8.6", post("Content-Length: 0200", body="x" * 200), passed("POST /x " + "x" * 200)),
    case("SMUG-CL-DOUBLE-ZERO", "9110 8.6", post("Content-Length: 00"), passed("POST /x")),
    case("SMUG-CL-OCTAL", "9110 8.6", post("Content-Length: 0o5", body="hello"), REFUSED),
    case("SMUG-CL-HEX-PREFIX", "9110 8.6", post("Content-Length: 0x5", body="hello"), REFUSED),
    case("SMUG-CL-UNDERSCORE", "9110 8.6", post("Content-Length: 1_0", body="helloworld"), REFUSED),
    case("SMUG-CL-INTERNAL-SPACE", "9110 8.6", post("Content-Length: 1 0", body="helloworld"), REFUSED),
    case("SMUG-CL-NEGATIVE", "9110 8.6", post("Content-Length: -1"), REFUSED),
    case("SMUG-CL-NEGATIVE-ZERO", "9110 8.6", post("Content-Length: -0"), REFUSED),
    case("SMUG-CL-TRAILING-SPACE", "9112 5.1", post("Content-Length: 5 ", body="hello"), READ),
    case("SMUG-CL-EXTRA-LEADING-SP", "9112 5.1", post("Content-Length:  5", body="hello"), READ),
    case("SMUG-CL0-BODY-POISON", "9112 6.3", sized("") + "X", passed("POST /x", "XGET /end", goes_on=False)),
    case("SMUG-GET-CL-BODY-DESYNC", "9110 9.3.1", get("Content-Length: 5", body="hello"), passed("GET /x hello")),
    case("SMUG-GET-CL-PREFIX-DESYNC", "9110 9.3.1", get(f"Content-Length: {len(SMUGGLED) - 2}", body=SMUGGLED[:-2]) + "\r\n",
         passed("GET /x " + SMUGGLED[:-2])),
    case("SMUG-HEAD-CL-BODY", "9110 9.3.2", request("HEAD /x", "Content-Length: 5", body="hello"), passed("HEAD /x hello")),
    case("SMUG-OPTIONS-CL-BODY", "9110 9.3.7", request("OPTIONS /x", "Content-Length: 5", body="hello"), passed("OPTIONS /x hello")),
    case("SMUG-OPTIONS-CL-BODY-DESYNC", "9110 9.3.7", request("OPTIONS /x", f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED),
         passed("OPTIONS /x " + SMUGGLED)),
    case("SMUG-EXPECT-100-CL", "9110 10.1.1", sized("hello", "Expect: 100-continue"), READ),
    case("SMUG-EXPECT-100-CL-DESYNC", "9110 10.1.1", sized(SMUGGLED, "Expect: 100-continue"), passed("POST /x " + SMUGGLED)),
    case("SMUG-PIPELINE-SAFE", "9112 9.3.2", get() + request("GET /y"), passed("GET /x", "GET /y")),
]

LENGTH_AND_CODING = [
    case("SMUG-CL-TE-BOTH", "9112 6.3", post(f"Content-Length: {len(HELLO)}", CHUNKED, body=HELLO), REFUSED),
    case("SMUG-CLTE-PIPELINE", "9112 6.3", post("Content-Length: 4", CHUNKED, body=NOTHING), REFUSED),
    case("SMUG-TECL-PIPELINE", "9112 6.3", post(CHUNKED, "Content-Length: 30", body=NOTHING), REFUSED),
    case("SMUG-CLTE-DESYNC", "9112 6.3", cl_te(smuggled="X"), REFUSED),
    case("SMUG-TECL-DESYNC", "9112 6.3", post(CHUNKED, "Content-Length: 30", body=NOTHING + "X"), REFUSED),
    case("SMUG-CLTE-CONN-CLOSE", "9112 6.1", post("Content-Length: 5", CHUNKED, body=NOTHING), REFUSED),
    case("SMUG-TECL-CONN-CLOSE", "9112 6.1", post(CHUNKED, "Content-Length: 5", body=NOTHING), REFUSED),
    case("SMUG-CLTE-SMUGGLED-GET", "9112 6.3", cl_te(), REFUSED),
    case("SMUG-CLTE-SMUGGLED-HEAD", "9112 6.3", cl_te(smuggled=SMUGGLED.replace("GET", "HEAD")), REFUSED),
    case("SMUG-CLTE-SMUGGLED-GET-CL-PLUS", "9112 6.3", cl_te(length="+9"), REFUSED),
    case("SMUG-CLTE-SMUGGLED-GET-CL-NON-NUMERIC", "9112 6.3", cl_te(length="9x"), REFUSED),
    case("SMUG-CLTE-SMUGGLED-GET-TE-TRAILING-SPACE", "9112 6.3", cl_te("Transfer-Encoding: chunked "), CODING),
    case("SMUG-CLTE-SMUGGLED-GET-TE-LEADING-COMMA", "9112 6.3", cl_te("Transfer-Encoding: , chunked"), CODING),
    case("SMUG-CLTE-SMUGGLED-GET-TE-CASE-MISMATCH", "9112 6.3", cl_te("Transfer-Encoding: Chunked"), CODING),
    case("SMUG-CLTE-SMUGGLED-GET-TE-OBS-FOLD", "9112 5.2", cl_te("Transfer-Encoding:\r\n chunked"), REFUSED),
    case("SMUG-TECL-SMUGGLED-GET", "9112 6.3",
         post(CHUNKED, "Content-Length: 4", body=f"{len(SMUGGLED):x}\r\n{SMUGGLED}\r\n{NOTHING}"), REFUSED),
    case("SMUG-TE-DUPLICATE-HEADERS-SMUGGLED-GET", "9112 6.3", cl_te(CHUNKED, "Transfer-Encoding: identity"), CODING),
]

CODINGS = [
    case("SMUG-TE-XCHUNKED", "9112 6.1", coding(" xchunked"), CODING),
    case("SMUG-TE-TRAILING-SPACE", "9112 6.3", coding(" chunked "), CODING),
    case("SMUG-TE-SP-BEFORE-COLON", "9112 5.1", coding(" chunked", name="Transfer-Encoding :"), REFUSED),
    case("SMUG-TE-DOUBLE-CHUNKED", "9112 6.1", coding(" chunked, chunked"), CODING),
    case("SMUG-TE-CASE-MISMATCH", "9112 7", coding(" Chunked"), CODING),
    case("SMUG-TRANSFER_ENCODING", "9110 5.1", coding(" chunked", name="Transfer_Encoding:"), READ, REFUSED, fields={"transfer-encoding": []}),
    case("SMUG-TE-NOT-FINAL-CHUNKED", "9112 6.3", post("Transfer-Encoding: chunked, gzip", body=HELLO), CODING),
    case("SMUG-TE-HTTP10", "9112 6.1", post(CHUNKED, body=HELLO, version="HTTP/1.0"), REFUSED),
    case("SMUG-TE-EMPTY-VALUE", "9112 6.1", coding(""), CODING),
    case("SMUG-TE-LEADING-COMMA", "9110 5.6.1", coding(" , chunked"), CODING),
    case("SMUG-TE-TRAILING-COMMA", "9110 5.6.1", post("Transfer-Encoding: chunked,", body=HELLO), READ, CODING),
    case("SMUG-TE-DUPLICATE-HEADERS", "9112 6.3", coding(" chunked", "Transfer-Encoding: identity"), CODING),
    case("SMUG-TE-IDENTITY", "9112 7", coding(" identity"), CODING),
    case("SMUG-TE-VTAB", "9110 5.6.2", coding(" \x0bchunked"), CODING),
    case("SMUG-TE-FORMFEED", "9110 5.6.2", coding(" \x0cchunked"), CODING),
    case("SMUG-TE-NULL", "9110 5.5", coding(" chunked\0"), CODING),
    case("SMUG-TE-TAB-BEFORE-VALUE", "9112 6.3", coding("\tchunked"), CODING),
    case("SMUG-TE-OBS-FOLD", "9112 5.2", coding("\r\n chunked"), REFUSED),
    case("SMUG-OPTIONS-TE-OBS-FOLD", "9112 5.2", request("OPTIONS /x", "Transfer-Encoding:\r\n chunked", body=HELLO), REFUSED),
    case("SMUG-CHUNKED-WITH-PARAMS", "9112 7", post("Transfer-Encoding: chunked;q=1", body=HELLO), CODING),
]

# Chunks are framed anew for members, without their extensions: what is read of these lines does no harm behind the gateway.
CHUNKS = [
    case("SMUG-CHUNK-BARE-SEMICOLON", "9112 7.1.1", chunks("5;\r\nhello\r\n0\r\n\r\n"), READ, CUT),
    case("SMUG-CHUNK-EXT-INVALID-TOKEN", "9112 7.1.1", chunks("5;a@b=c\r\nhello\r\n0\r\n\r\n"), READ, CUT),
    case("SMUG-CHUNK-EXT-CTRL", "9112 7.1.1", chunks("5;a\0b\r\nhello\r\n0\r\n\r\n"), READ, CUT),
    case("SMUG-CHUNK-EXT-CR", "9112 2.2", chunks("5;a\rb\r\nhello\r\n0\r\n\r\n"), CUT),
    case("SMUG-CHUNK-EXT-LF", "9112 7.1", chunks("5;a\nhello\r\n0\r\n\r\n"), CUT),
    case("SMUG-CHUNK-HEX-PREFIX", "9112 7.1", chunks("0x5\r\nhello\r\n0\r\n\r\n"), CUT),
    case("SMUG-CHUNK-UNDERSCORE", "9112 7.1", chunks("1_0\r\nhello\r\n0\r\n\r\n"), CUT),
    case("SMUG-CHUNK-SIZE-PLUS", "9112 7.1", chunks("+5\r\nhello\r\n0\r\n\r\n"), CUT),
    case("SMUG-CHUNK-NEGATIVE", "9112 7.1", chunks("-1\r\nhello\r\n0\r\n\r\n"), CUT),
    case("SMUG-CHUNK-INVALID-SIZE-DESYNC", "9112 7.1", chunks("+0\r\n\r\nX"), CUT),
    case("SMUG-CHUNK-LEADING-SP", "9112 7.1", chunks(" 5\r\nhello\r\n0\r\n\r\n"), CUT),
    case("SMUG-CHUNK-SIZE-TRAILING-OWS", "9112 7.1", chunks("5 \r\nhello\r\n0\r\n\r\n"), READ, CUT),
    case("SMUG-CHUNK-BARE-CR-TERM", "9112 2.2", chunks("5\rhello\r\n0\r\n\r\n"), CUT),
    case("SMUG-CHUNK-LF-TERM", "9112 7.1", chunks("5\r\nhello\n0\r\n\r\n"), CUT),
    case("SMUG-CHUNK-MISSING-TRAILING-CRLF", "9112 7.1", chunks("5\r\nhello0\r\n\r\n"), CUT),
    case("SMUG-CHUNK-SPILL", "9112 7.1", chunks("5\r\nhello!!\r\n0\r\n\r\n"), CUT),
    case("SMUG-CHUNK-LF-TRAILER", "9112 7.1", chunks("5\r\nhello\r\n0\r\n\n"), READ, CUT),
]


def trailer(name, line):
    """A trailer that only a header may say: it does not reach the member, not even as a header."""
    field = line.partition(":")[0].lower()
    kept = {"transfer-encoding": ["chunked"], "host": ["a.example"]}.get(field, [])
    return case(name, "9110 6.5.1", chunks(f"5\r\nhello\r\n0\r\n{line}\r\n\r\n"), READ, CUT, fields={field: kept})


TRAILERS = [
    trailer("SMUG-TRAILER-CL", "Content-Length: 50"),
    trailer("SMUG-TRAILER-TE", "Transfer-Encoding: chunked"),
    trailer("SMUG-TRAILER-HOST", "Host: evil.example"),
    trailer("SMUG-TRAILER-AUTH", "Authorization: Bearer evil"),
    trailer("SMUG-TRAILER-CONTENT-TYPE", "Content-Type: text/evil"),
]

HOSTS = [
    case("SMUG-MULTIPLE-HOST-COMMA", "9110 7.2", get(host="Host: a.example, b.example"), REFUSED),
    case("SMUG-ABSOLUTE-URI-HOST-MISMATCH", "9112 3.2.2", request("GET http://b.example/x"), REFUSED),
    case("SMUG-BARE-CR-HEADER-VALUE", "9112 2.2", post("Content-Length: 5", "X-A: b\rTransfer-Encoding: chunked", body="hello"), REFUSED),
    case("SMUG-HEADER-INJECTION", "9112 5", get("X-A: b", "X-B: c"), passed("GET /x"), fields={"x-a": ["b"], "x-b": ["c"]}),
]

CASES = LENGTHS + LENGTH_AND_CODING + CODINGS + CHUNKS + TRAILERS + HOSTS
