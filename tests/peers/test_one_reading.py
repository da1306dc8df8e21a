"""What is matched is what is sent: hosts, paths, hops and fields that could be read in two ways, in requests and in answers."""

import pytest

from curl import curl
from gateway import wait_for
from http2_peer import Http2Client
from manifests import ingress, secret, service
from wire import HANDSHAKE, Client, answers, get, response


JSON = ["--log-format", "json"]


def one(backend, **more):
    return [service("one", backend.port), ingress("one", {"/": "one"}, **more)]


def always(raw):
    """A script: answers every request with these bytes."""
    return lambda exchange: exchange.send(raw)


def records(gateway, count):
    """The records of so many requests."""
    wait_for(lambda: len(gateway.entries("request")) >= count, f"{count} records")
    return gateway.entries("request")


@pytest.mark.parametrize("head", [
    "GET /x HTTP/1.1\r\nHost: shop.example:evil.example",
    "GET /x HTTP/1.1\r\nHost: shop.example:-1",
    "GET /x HTTP/1.1\r\nHost: shop.example:99999",
    "GET /x HTTP/1.1\r\nHost: shop.example,evil.example",
    "GET /x HTTP/1.1\r\nHost: shop%2eexample",
    "GET /x HTTP/1.1\r\nHost: [::1]x",
    "GET /x HTTP/1.1\r\nHost: [::g]",
    "GET /x HTTP/1.1\r\nHost: .",
    "GET /x HTTP/1.1\r\nHost:",
    "GET /x HTTP/1.0\r\nHost:",
    "GET /x HTTP/1.1\r\nHost: " + "a" * 256,
    "GET http://shop.example/x HTTP/1.1",
    "GET http://shop.example:99999/x HTTP/1.1\r\nHost: shop.example:99999",
    "GET ftp://shop.example/x HTTP/1.1\r\nHost: shop.example",
], ids=lambda head: head.replace("\r\n", " ")[:60])  # fmt: skip
def test_a_host_that_is_none_is_refused(gateway, scripted, head):
    backend = scripted(always(response()))
    gateway.serve(*one(backend))
    with Client(gateway.http) as client:
        answer = client.ask(head.encode() + b"\r\n\r\n")
        assert (answer.status, answer["x-steadygate-reason"]) == (400, "MalformedRequest")
    assert backend.got_nothing()


@pytest.mark.parametrize("host", ["shop.example", "Shop.Example.:080", "a_b.example", "192.0.2.1:8080", "[2001:db8::1]:443", "a" * 255])
def test_a_host_goes_on_as_it_came(gateway, scripted, host):
    backend = scripted(always(response()))
    gateway.serve(*one(backend))
    with Client(gateway.http) as client:
        assert client.ask(get("/x", host)).status == 200
    head = backend.next().head
    assert (head.values("host"), head.values("x-forwarded-host")) == ([host], [host])


def test_an_authority_is_read_as_a_host_is(gateway, scripted, certificate):
    backend = scripted(always(response()))
    gateway.serve(*one(backend, secret="tls"), secret("tls", certificate("localhost")))
    with Http2Client(gateway.https, tls_for="localhost") as client:
        for authority in ("localhost:99999", "localhost:x", "local%68ost", "a" * 256):
            refused = client.ask("/x", method="GET", authority=authority, without=("protocol",), end=True)
            # What the library itself can't read is a fault of the stream.
            assert refused.answer() == 400 or refused.reset_by is not None, authority
        assert client.ask("/x", method="GET", without=("protocol",), end=True).answer() == 200
    assert backend.next() and backend.got_nothing()


def test_a_byte_that_should_have_been_escaped_is_matched_and_logged_as_its_escape(gateway, scripted):
    wide, narrow = scripted(always(response())), scripted(always(response()))
    site = ingress("site", {"/": "wide", "/caf\u00e9": "narrow", "/a%7Bb": "narrow", "/100%25": "narrow"})
    gateway.serve(
        service("wide", wide.port), service("narrow", narrow.port), site, arguments=[*JSON, "--workers", "1"]
    )
    targets = {"/caf\u00e9/x": "/caf%C3%A9/x", "/caf%c3%a9": "/caf%c3%a9", "/a{b/\u009b31m": "/a%7Bb/%C2%9B31m", "/100%": "/100%25"}
    for target in targets:
        with Client(gateway.http) as client:
            assert client.ask(get("@", "localhost").replace(b"@", target.encode(), 1)).status == 200
        assert narrow.next().head.raw.startswith(b"GET " + target.encode() + b" HTTP/1.1\r\n")
    assert wide.got_nothing()
    assert [record["path"] for record in records(gateway, len(targets))] == list(targets.values())
    assert "\u009b" not in gateway.log()


HIDDEN = ["/x/..%2fadmin", "/x/..;/admin", "/x/..\\admin", "/x/..%5Cadmin/y", "/admin%2fx", "/admin;a=b"]


@pytest.mark.parametrize("target", HIDDEN)
@pytest.mark.parametrize("slashes", ["keep", "refuse", "decode"])
def test_encoded_slashes_are_what_the_route_makes_of_them(gateway, scripted, slashes, target):
    wide, admin = scripted(always(response())), scripted(always(response()))
    annotations = {"steadygate.io/encoded-slashes": slashes}
    site = ingress("site", {"/": "wide", "/admin": "admin"}, annotations=annotations)
    gateway.serve(service("wide", wide.port), service("admin", admin.port), site)
    with Client(gateway.http) as client:
        assert client.ask(get(target)).status == (400 if slashes == "refuse" else 200)
        if slashes == "decode":
            sent = admin.next().head.first.split()[1]
            # What was matched is what is sent, where the backend could come to another place.
            assert sent == (target if ".." not in target else "/admin/y" if target.endswith("/y") else "/admin")
        if slashes == "keep":
            assert wide.next().head.first.split()[1] == target
    with Client(gateway.http) as client:
        assert client.ask(get("/admin/x")).status == 200
    assert admin.next().head.first == "GET /admin/x HTTP/1.1"
    assert wide.got_nothing() and admin.got_nothing()


def test_the_record_of_what_is_refused_is_of_its_head_not_of_what_follows(gateway, scripted):
    gateway.serve(*one(scripted(always(response()))), arguments=JSON)
    for fields in ("Content-Length: 3\r\nTransfer-Encoding: chunked", "Content-Length: 3\r\nContent-Length: 3"):
        with Client(gateway.http) as client:
            head = f"POST /login HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n"
            told = client.send(head.encode() + b"HEAD /innocent HTTP/1.1\r\n\r\n").read_to_end()
        assert told.startswith(b"HTTP/1.1 400 ") and not told.endswith(b"\r\n\r\n")
    assert [(record["method"], record["path"]) for record in records(gateway, 2)] == [("POST", "/login")] * 2


def test_the_record_of_a_malformed_answer_that_became_a_502_has_its_reason(gateway, scripted):
    malformed = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    gateway.serve(*one(scripted(always(malformed))), arguments=JSON)
    with Client(gateway.http) as client:
        assert client.ask(get("/x")).status == 502
    assert [(record["status"], record["reason"]) for record in records(gateway, 1)] == [(502, "BackendMalformed")]


def test_a_loop_is_found_after_a_few_rounds(gateway, scripted):
    def back(exchange):
        with Client(gateway.http) as client:
            exchange.send(client.send(exchange.head.raw).read_until(b"\r\n\r\n"))

    gateway.serve(*one(scripted(back)), arguments=JSON)
    for request in (get("/x"), HANDSHAKE):
        with Client(gateway.http) as client:
            head = client.send(request).read_until(b"\r\n\r\n")
        # The reason is the innermost round's own. Those that hand its answer on have none.
        assert head.startswith(b"HTTP/1.1 508 ") and b"x-steadygate-reason" not in head.lower()
    # Each has come through five gateways, and is refused by the sixth.
    reasons = [record["reason"] for record in records(gateway, 12)]
    assert (len(reasons), reasons.count("LoopDetected")) == (12, 2)


def test_other_gateways_and_a_few_of_this_kind_are_no_loop(gateway, scripted):
    backend = scripted(always(response()))
    gateway.serve(*one(backend))
    others = ["Via: 1.1 varnish, 2.0 edge (steadygate), 1.1 steadygate", "Via: 1.1 nginx" + ", 1.1 cdn" * 50, "Via: 1.1 steadygate, 1.0 steadygate"]
    with Client(gateway.http) as client:
        assert client.ask(get("/x", "localhost", *others)).status == 200
    assert backend.next().head.values("via") == [line[5:] for line in others] + ["1.1 steadygate"]
    with Client(gateway.http) as client:
        answer = client.ask(get("/x", "localhost", *others, "Via: 1.1 steadygate,1.1 Steadygate"))
        assert (answer.status, answer["x-steadygate-reason"]) == (508, "LoopDetected")


def test_the_reason_is_the_gateways_alone(gateway, scripted):
    backend = scripted(always(response(b"no", "503 Service Unavailable", "X-Steadygate-Reason: NoEndpoints")))
    gateway.serve(*one(backend), arguments=JSON)
    with Client(gateway.http) as client:
        answer = client.ask(get("/x", "localhost", "X-Steadygate-Reason: NoRoute"))
        assert (answer.status, answer["x-steadygate-reason"]) == (503, "")
    assert backend.next().head["x-steadygate-reason"] == ""
    assert records(gateway, 1)[0]["reason"] == ""


TRAILERS = ["Connection: close", "Transfer-Encoding: chunked", "Keep-Alive: 5", "Upgrade: h2c", "Proxy-Connection: x",
    "TE: gzip", "Content-Length: 9", "Set-Cookie: a=1", "Content-Type: a/b", "Host: evil", "Trailer: x", "X-Steadygate-Reason: x"]  # fmt: skip


@pytest.mark.parametrize("trailer", TRAILERS)
def test_trailers_of_an_answer_say_nothing_that_only_its_header_may(gateway, scripted, certificate, trailer):
    chunks = "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
    backend = scripted(always(f"{chunks}{trailer}\r\nX-Sum: 1\r\n\r\n".encode()))
    gateway.serve(*one(backend, secret="tls"), secret("tls", certificate("localhost")))
    with Client(gateway.http) as client:
        client.send(get("/x", "localhost", "TE: trailers", "Connection: TE, close"))
        assert client.read_to_end().endswith(b"\r\n0\r\nX-Sum: 1\r\n\r\n")
    with Http2Client(gateway.https, tls_for="localhost") as client:
        stream = client.ask("/x", ("te", "trailers"), method="GET", without=("protocol",), end=True)
        assert (stream.answer(), stream.read_to_end(), stream.reset_by) == (200, b"hello", None)
        assert stream.trailers == [("x-sum", "1")]


def test_server_is_added_where_nobody_names_one(gateway, scripted):
    backend = scripted(lambda exchange: exchange.send(response(b"", "200 OK", *exchange.head.values("x-say"))))
    gateway.write("site.json", *service("one", backend.port), *ingress("one", {"/": "one"}, host="localhost"))
    gateway.start()
    for request, server in {
        get("/x"): "steadygate",
        get("/x", "localhost", "X-Say: Server: other/1.0"): "other/1.0",
        get("/x", "nobody.example"): "steadygate",
        b"GET /x HTTP/1.1\r\nHost: a:b\r\n\r\n": "steadygate",
    }.items():
        with Client(gateway.http) as client:
            assert client.ask(request).values("server") == [server]
    gateway.kill()
    gateway.start("--no-server-header")
    for host in ("localhost", "nobody.example"):
        with Client(gateway.http) as client:
            assert client.ask(get("/x", host)).values("server") == []


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize(("head", "length"), [
    ("204 No Content\r\nContent-Length: 5", None),
    ("204 No Content\r\nTransfer-Encoding: gzip", None),
    ("304 Not Modified\r\nContent-Length: 5", "5"),
    ("304 Not Modified\r\nTransfer-Encoding: chunked", None),
    ("304 Not Modified", None),
])  # fmt: skip
def test_what_has_no_body_has_no_framing(gateway, scripted, certificate, version, head, length):
    gateway.serve(*one(scripted(always(f"HTTP/1.1 {head}\r\n\r\n".encode())), secret="tls"), secret("tls", certificate("localhost")))
    answer = curl(gateway.url("/x", "https"), version, "--insecure").head
    assert (answer.values("content-length"), answer.values("transfer-encoding")) == ([length] if length else [], [])


@pytest.mark.parametrize(("fields", "length"), [("Content-Length: 5", "5"), ("Transfer-Encoding: chunked", ""), ("X-A: 1", "")])
def test_an_answer_to_head_has_the_length_that_the_member_says(gateway, scripted, fields, length):
    gateway.serve(*one(scripted(always(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode()))))
    with Client(gateway.http) as client:
        client.send(get("/x").replace(b"GET", b"HEAD", 1))
        head = client.read_until(b"\r\n\r\n").lower()
    assert b"transfer-encoding" not in head
    assert (b"content-length: 5" in head) == bool(length) and (b"content-length" in head) == bool(length)


@pytest.mark.parametrize("tail", [
    b"Content-Length: 100\r\n\r\npart",
    b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n0\r\njunk\r\n\r\n",
])  # fmt: skip
def test_what_came_of_an_answer_that_breaks_off_is_handed_on(gateway, scripted, tail):
    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\n" + tail)
        exchange.close()

    gateway.serve(*one(scripted(script)), arguments=JSON)
    for _ in range(5):
        with Client(gateway.http) as client:
            got = client.send(get("/x")).read_to_end()
        assert got.startswith(b"HTTP/1.1 200 OK\r\n") and b"part" in got and not got.endswith(b"0\r\n\r\n")
    assert [record["reason"] for record in records(gateway, 5)] == ["backend_aborted"] * 5


def test_a_client_that_leaves_is_recorded(gateway, scripted):
    part = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"
    gateway.serve(*one(scripted(answers(part))), arguments=JSON)
    with Client(gateway.http) as client:
        client.send(get("/x")).read_until(b"part")
    assert records(gateway, 1)[0]["reason"] == "client_aborted"


def test_a_connection_is_not_used_again_when_the_member_is_about_to_close_it(gateway, scripted):
    def script(exchange):
        exchange.send(response(b"", "200 OK", *exchange.head.values("x-say")))

    backend = scripted(script)
    gateway.serve(*one(backend), arguments=["--workers", "1"])
    for say, kept in {"X-Say: Keep-Alive: timeout=60": True, "X-Say: Keep-Alive: timeout=0": False}.items():
        with Client(gateway.http) as client:
            for _ in range(2):
                assert client.ask(get("/x", "localhost", say)).status == 200
        assert (backend.next().sock is backend.next().sock) == kept
