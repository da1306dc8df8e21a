"""Bodies on their way: framed for whoever reads them, asked for only when wanted, and never waited for without end."""

import time

import pytest

from curl import curl
from gateway import wait_for
from manifests import application_gateway, ingress, secret, service
from wire import Client, answers, get, response

VERSIONS = ["--http1.1", "--http2-prior-knowledge"]
REFUSED = response(b"who are you?", "401 Unauthorized")


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


def post(path, *fields):
    return get(path, "localhost", *fields).replace(b"GET", b"POST", 1)


def one(port):
    return [service("one", port), ingress("one", {"/": "one"})]


# Requests


def framing(told):
    return [[name, value] for name, value in told["fields"] if name in ("content-length", "transfer-encoding")]


def test_a_body_of_unknown_length_on_get_reaches_the_backend_whole(gateway, http_backend, version):
    gateway.serve(*one(http_backend().port), arguments=["--h2c"])
    upload = [version, "-X", "GET", "-H", "Expect:", "-T", "-"]
    told = curl(gateway.url("/"), *upload, input=b"what to look for").json()
    assert (told["method"], told["length"]) == ("GET", 16)
    assert framing(told) == [["transfer-encoding", "chunked"]]


def test_a_post_without_a_body_says_so(gateway, http_backend, version):
    gateway.serve(*one(http_backend().port), arguments=["--h2c"])
    told = curl(gateway.url("/"), version, "-X", "POST").json()
    assert (told["method"], told["length"]) == ("POST", 0)
    assert framing(told) == [["content-length", "0"]]


@pytest.mark.parametrize("body", [b"", b"x" * 1000], ids=["waits", "sends all the same"])
def test_a_body_that_the_backend_refuses_is_not_requested(gateway, scripted, body):
    backend = scripted(answers(REFUSED))
    gateway.serve(*one(backend.port), arguments=["--workers", "1"])
    with Client(gateway.http) as client:
        answer = client.ask(post("/up", "Content-Length: 1000", "Expect: 100-continue") + body)
        assert (answer.status, answer.body) == (401, b"who are you?"), "no 100 comes before it"
        client.half_close()
        assert client.read_to_end() == b"", "nor behind it"
    first = backend.next()
    assert first.done.wait(5), "the backend connection is not used again"
    assert first.rest == b"", "the body"
    with Client(gateway.http) as client:
        assert client.ask(get("/next")).status == 401
    assert backend.next().sock is not first.sock


def test_an_answer_before_the_upload_is_through_ends_both_connections(gateway, scripted):
    backend = scripted(answers(REFUSED))
    gateway.serve(application_gateway("one", backend.port, settings={"requestTimeout": 2}))
    with Client(gateway.http, timeout=4) as client:
        assert client.ask(post("/up", "Content-Length: 1000000") + b"x" * 1000).status == 401
        assert client.is_closed(), "the client is not waited for"
    first = backend.next()
    with Client(gateway.http) as client:
        assert client.ask(get("/next")).status == 401
    assert backend.next().sock is not first.sock
    assert first.done.wait(5)


def test_a_backend_that_takes_a_body_and_does_not_answer_is_504(gateway, scripted):
    backend = scripted(lambda exchange: exchange.done.wait(20))  # and never reads
    gateway.serve(application_gateway("one", backend.port, settings={"requestTimeout": 1}))
    with Client(gateway.http) as client:
        assert client.ask(post("/up", "Content-Length: 100000") + b"x" * 100_000).status == 504
    backend.next().done.set()


def test_a_client_that_does_not_go_on_with_its_body_is_408(gateway, scripted):
    backend = scripted(lambda exchange: exchange.read_to_end())
    gateway.serve(application_gateway("one", backend.port, settings={"requestTimeout": 1}))
    with Client(gateway.http) as client:
        answer = client.ask(post("/up", "Content-Length: 100") + b"x" * 10)
        assert (answer.status, answer["connection"]) == (408, "close")
        assert client.is_closed()
    assert backend.next().done.wait(5)


def test_trailers_of_a_request_say_nothing_that_only_its_header_may(gateway, scripted):
    def script(exchange):
        exchange.body()
        exchange.send(response())

    backend = scripted(script)
    gateway.serve(*one(backend.port))
    trailers = b"X-Checksum: c0ffee\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\n"
    with Client(gateway.http) as client:
        head = post("/up", "Transfer-Encoding: chunked", "Trailer: X-Checksum, X-Forwarded-For, X_Forwarded_For")
        assert client.ask(head + b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n").status == 200
    told = backend.next()
    assert told.head["x-forwarded-for"] == "127.0.0.1"
    assert [line.lower() for line in told.trailers] == [b"x-checksum: c0ffee"]


# Answers


def test_an_answer_that_is_framed_twice_is_framed_once(gateway, scripted, version):
    """RFC 9112, section 6.3: chunked counts."""
    fields = "Content-Length: 3\r\nTransfer-Encoding: chunked"
    backend = scripted(answers(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n".encode()))
    gateway.serve(*one(backend.port), arguments=["--h2c"])
    result = curl(gateway.url("/x"), version)
    assert result.body == b"hello world"
    framing = result.head.values("content-length") + result.head.values("transfer-encoding")
    assert framing in ([["chunked"], ["11"]] if result.version == "1.1" else [[], ["11"]])


def test_an_answer_in_a_coding_that_is_not_undone_here_is_502(gateway, scripted, version):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    gateway.serve(*one(scripted(answers(head + b"5\r\nhello\r\n0\r\n\r\n")).port), arguments=["--h2c"])
    assert curl(gateway.url("/x"), version).status == 502


@pytest.mark.parametrize("length", ["Content-Length: 2\r\n", ""], ids=["length", "until the end"])
def test_a_backend_of_http_1_0_is_not_the_clients_concern(gateway, scripted, length):
    def script(exchange):
        exchange.send(f"HTTP/1.0 200 OK\r\n{length}\r\nok".encode())
        exchange.close()

    gateway.serve(*one(scripted(script).port))
    with Client(gateway.http) as client:
        for _ in range(3):
            answer = client.ask(get("/x"))
            assert (answer.first, answer.body) == ("HTTP/1.1 200 OK", b"ok")
            assert "close" not in answer["connection"]


def test_trailers_of_an_answer_reach_whoever_can_take_them(gateway, http_backend):
    gateway.serve(*one(http_backend().port), arguments=["--h2c"])
    assert "c0ffee" in curl(gateway.url("/trailers"), "--http2-prior-knowledge").verbose
    with Client(gateway.http) as client:
        client.send(get("/trailers", "localhost", "TE: trailers", "Connection: TE, close"))
        _, _, last = client.read_to_end().lower().partition(b"\r\n0\r\n")
        assert last == b"x-checksum: c0ffee\r\n\r\n"


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_an_answer_longer_than_the_header_timeout_costs_its_connection_nothing(gateway, scripted, certificate, version):
    def script(exchange):
        if exchange.head.first.startswith("GET /short"):
            return exchange.send(response())
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            time.sleep(0.6)  # what the answer takes
            exchange.send(b"2\r\non\r\n")
        exchange.send(b"0\r\n\r\n")

    site = [service("one", scripted(script).port), ingress("one", {"/": "one"}, secret="tls")]
    gateway.serve(*site, secret("tls", certificate("localhost")), arguments=["--header-timeout", "2"])
    long, short = (gateway.url(path, "https") for path in ("/long", "/short"))
    second = curl(short, version, long, ca=certificate("localhost").path)
    assert second.body.startswith(b"ononononon") and second.body.endswith(b"ok")
    assert second.connections == 0, "the second request came on the first one's connection"


def test_a_client_that_does_not_read_is_let_go(gateway, scripted):
    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            exchange.send(b"x" * 100_000)

    backend = scripted(script)
    gateway.serve(*one(backend.port), arguments=["--header-timeout", "2"])
    with Client(gateway.http) as client:
        client.send(get("/big")).read_until(b"\r\n\r\n")
        assert gateway.in_progress() == 1
        assert backend.next().done.wait(12), "the backend is let go too"
        wait_for(lambda: gateway.in_progress() == 0, "nothing is in progress")
