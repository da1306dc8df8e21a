"""Answers of members in every form that HTTP/1.1 has, and in some that it does not have."""

import ssl
import time
from contextlib import suppress

import pytest

from gateway import wait_for
from manifests import application_gateway, ingress, service
from wire import Client, get, response

ONE_WORKER = ["--workers", "1"]
NAME = "backend.example"
BODY = bytes(range(256)) * 40
PLAIN = response(BODY)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + b"".join(
    b"%x;name=\"v\"\r\n%s\r\n" % (len(part), part) for part in (BODY[:1], BODY[1:4000], BODY[4000:])
) + b"0\r\nX-Sum: 1\r\n\r\n"  # fmt: skip
UNTIL_THE_END = b"HTTP/1.1 200 OK\r\n\r\n" + BODY
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"


def serve(gateway, backend):
    gateway.serve(service("one", backend.port), ingress("one", {"/": "one"}), arguments=ONE_WORKER)


@pytest.fixture(params=["clear", "tls"])
def member(request, gateway, scripted, certificate):
    """`member(script)`: a scripted backend behind the gateway, in the clear and over TLS."""

    def begin(script):
        if request.param == "clear":
            serve(gateway, backend := scripted(script))
            return backend
        pair = certificate(NAME)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.path, pair.path.with_suffix(".key"))
        backend = scripted(script, context)
        trusted = [{"name": "ca"}]
        settings = {"protocol": "Https", "hostName": NAME, "trustedRootCertificates": trusted}
        site = application_gateway("one", backend.port, settings=settings)
        site[0]["spec"]["trustedRootCertificates"] = [trusted[0] | {"secretRef": {"name": "ca"}}]
        metadata = {"name": "ca", "namespace": "default"}
        ca = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"ca.crt": pair.crt}}
        gateway.serve(*site, ca, arguments=ONE_WORKER)
        return backend

    return begin


def pieces(raw, length):
    return [raw[at : at + length] for at in range(0, len(raw), length)]


@pytest.mark.parametrize("length", [1, 7, 1460, 100_000], ids=lambda length: f"{length} B at once")
@pytest.mark.parametrize("raw", [PLAIN, CHUNKED, UNTIL_THE_END, INTERIM + CHUNKED], ids=["length", "chunks", "end", "1xx"])
def test_an_answer_is_the_same_however_it_comes(gateway, scripted, raw, length):
    def script(exchange):
        # The head in small pieces, and the rest too where that does not take long.
        for piece in pieces(raw[:600], length) + pieces(raw[600:], max(length, 97)):
            exchange.send(piece)
            time.sleep(0.0005)
        if raw == UNTIL_THE_END:
            exchange.close()

    backend = scripted(script)
    serve(gateway, backend)
    with Client(gateway.http) as client:
        for _ in range(2):
            answer = client.ask(get("/x"))
            if raw.startswith(INTERIM):
                assert (answer.first, answer["link"]) == ("HTTP/1.1 103 Early Hints", "</a>")
                answer = client.answer()
            assert (answer.first, answer.body) == ("HTTP/1.1 200 OK", BODY)
    assert (backend.next().sock is backend.next().sock) == (raw != UNTIL_THE_END)


def test_a_reason_of_the_members_own_is_handed_on(gateway, scripted):
    serve(gateway, scripted(lambda exchange: exchange.send(response(b"ok", "200 Fine By Me"))))
    with Client(gateway.http) as client:
        assert client.ask(get("/x")).first == "HTTP/1.1 200 Fine By Me"


@pytest.mark.parametrize("head", [
    "HTTP/2.0 200 OK",
    "HTTP/1.1 20 OK",
    "ICY 200 OK",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3",
    "HTTP/1.1 200 OK\r\nContent-Length: 2, 3",
    "HTTP/1.1 200 OK\r\nContent-Length: -2",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x2",
    "HTTP/1.1 200 OK\r\nA: 1\r\n B: 2",
    "HTTP/1.1 200 OK\r\nA : 1",
    "HTTP/1.1 200 OK\r\nA: \0",
    "HTTP/1.1 200 OK\r\n" + "A: 1\r\n" * 101,
    "HTTP/1.1 200 OK\r\nA: " + "1" * 300_000,
], ids=lambda head: head.replace("\r\n", " ").replace("\0", "NUL")[:40])  # fmt: skip
def test_what_is_no_answer_is_502(gateway, scripted, head):
    backend = scripted(lambda exchange: exchange.send(head.encode() + b"\r\n\r\nok"))
    serve(gateway, backend)
    with Client(gateway.http) as client:
        answer = client.ask(get("/x"))
        assert (answer.status, answer["x-steadygate-reason"]) == (502, "BackendMalformed")
    # It has answered: it is not asked again.
    assert backend.next() and backend.got_nothing()


@pytest.mark.parametrize("rest", [b"x\r\n", b"\r\n\r\n", b"5\r\nhello world\r\n", b"fffffffffffffffff\r\n", b"0\r\nA B: 1\r\n\r\n", b"5;" + b"x" * 20_000],
    ids=["no size", "empty size", "too long", "too big", "bad trailer", "endless"])  # fmt: skip
def test_chunks_that_are_none_are_not_passed_off_as_whole(gateway, scripted, rest):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"

    def script(exchange):
        exchange.send(head)
        time.sleep(0.1)
        exchange.send(rest)

    serve(gateway, scripted(script))
    with Client(gateway.http) as client:
        heard = client.send(get("/x")).read_to_end()
    assert b"\r\nok\r\n" in heard and not heard.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("method", [b"GET", b"POST"], ids=bytes.decode)
@pytest.mark.parametrize("pause", [0, 0.3], ids=["at once", "later"])
def test_an_unrequested_answer_answers_no_other_request(gateway, member, pause, method):
    def script(exchange):
        answer, planted = response(exchange.head.first.encode()), response(b"planted")
        exchange.send(answer if pause else answer + planted)
        time.sleep(pause)
        exchange.send(planted)

    backend = member(script)
    with Client(gateway.http) as client:
        for path in ("/first", "/second"):
            request = get(path, "localhost", "Content-Length: 0").replace(b"GET", method)
            assert client.ask(request).body == method + f" {path} HTTP/1.1".encode()
            time.sleep(pause * 2)
    assert backend.next().sock is not backend.next().sock


def post(*fields, body=b"up"):
    return get("/x", "localhost", *fields or ["Content-Length: 2"]).replace(b"GET", b"POST") + body


@pytest.mark.parametrize("how", ["says so", "just does", "frames twice"])
def test_a_connection_that_ends_is_not_used_again(gateway, member, how):
    rounds = 20

    def script(exchange):
        fields = {"says so": ["Connection: Close"], "frames twice": ["Transfer-Encoding: chunked"], "just does": []}[how]
        exchange.body()
        exchange.send(response(b"2\r\nok\r\n0\r\n\r\n" if how == "frames twice" else b"ok", "200 OK", *fields))
        if how == "just does":
            exchange.close()

    backend = member(script)
    with Client(gateway.http) as client:
        for _ in range(rounds):
            assert client.ask(post()).body == b"ok", "nor is a request lost that can't be sent again"
            time.sleep(0.02)  # until it has ended
    assert len({id(backend.next().sock) for _ in range(rounds)}) == rounds
    assert backend.got_nothing(), "each was delivered once"


def test_a_connection_is_used_again(gateway, member):
    def script(exchange):
        exchange.body()
        exchange.send(CHUNKED)

    backend = member(script)
    with Client(gateway.http) as client:
        for request in [post(), get("/x")] * 3:
            assert client.ask(request).body == BODY
            time.sleep(0.02)
    assert len({id(backend.next().sock) for _ in range(6)}) == 1


def test_a_body_and_its_answer_may_be_under_way_at_once(gateway, scripted):
    """The answer begins before the body is through, and the body goes on, though the client does not read."""
    parts = [b"%d" % number * 30_000 for number in range(1, 9)]

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        exchange.heard = exchange.body()
        exchange.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(exchange.heard), exchange.heard))

    backend = scripted(script)
    serve(gateway, backend)
    head = get("/x", "localhost", "Transfer-Encoding: chunked").replace(b"GET", b"POST")
    with Client(gateway.http) as client:
        client.send(head)
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")
        for part in parts:
            client.send(b"%x\r\n%s\r\n" % (len(part), part))
        client.send(b"0\r\n\r\n")
        exchange = backend.next()
        wait_for(lambda: hasattr(exchange, "heard"), "the backend has all of it")
        assert exchange.heard == b"".join(parts)
        heard = b""
        while size := int(client.read_until(b"\r\n"), 16):
            heard += client.read(size)
            client.read(2)
        assert heard == b"".join(parts)


def test_an_answer_breaks_off_with_the_body_that_it_is_about(gateway, scripted):
    """The client stops in its body, and goes on when nobody waits for it any more: neither side is left to believe in it."""

    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):
            for _ in range(50):
                exchange.send(b"2\r\nok\r\n")
                time.sleep(0.1)

    backend = scripted(script)
    gateway.serve(application_gateway("one", backend.port, settings={"requestTimeout": 1}), arguments=ONE_WORKER)
    with Client(gateway.http) as client:
        client.send(post("Content-Length: 100", body=b"some"))
        began = time.monotonic()
        heard = client.read_to_end()
        assert time.monotonic() - began < 4
    assert b"2\r\nok\r\n" in heard and not heard.endswith(b"0\r\n\r\n")
    assert backend.next().done.wait(5)
