"""Plain HTTP through the gateway, with curl: both versions, bodies of every kind, headers, and errors."""

import hashlib
import os
import time

import pytest

from curl import curl
from gateway import wait_for
from http_backend import MIB
from manifests import application_gateway, ingress, secret, service
from wire import Client, get, response

VERSIONS = {"http1": ("http", "--http1.1"), "https1": ("https", "--http1.1"), "https2": ("https", "--http2")}


@pytest.fixture
def backend(http_backend):
    return http_backend("one")


@pytest.fixture
def served(gateway, backend, certificate):
    return gateway.serve(
        service("one", backend.port),
        secret("tls", certificate("localhost")),
        ingress("one", {"/": "one"}, secret="tls"),
    )


@pytest.fixture(params=VERSIONS)
def ask(request, served, certificate):
    """`ask(path, …)`: curl, over each version of HTTP."""
    scheme, version = VERSIONS[request.param]
    ca = certificate("localhost").path

    def ask(path, *arguments, **named):
        result = curl(served.url(path, scheme), version, *arguments, ca=ca, **named)
        assert result.version == ("2" if version == "--http2" else "1.1")
        return result

    ask.scheme, ask.version, ask.port = scheme, version, served.https if scheme == "https" else served.http
    return ask


def test_what_the_backend_receives_of_a_request(ask):
    result = ask("/a/b%20c?q=1&q=%2F", "-H", "Accept: text/plain", "-H", "X-Custom: kept")
    told, fields = result.json(), dict(result.json()["fields"])
    assert (result.status, told["server"], told["method"]) == (200, "one", "GET")
    assert told["target"] == "/a/b%20c?q=1&q=%2F", "the target is not rewritten"
    assert fields["host"] == f"localhost:{ask.port}"
    assert (fields["accept"], fields["x-custom"]) == ("text/plain", "kept")
    assert fields["x-forwarded-for"] == fields["x-real-ip"] == "127.0.0.1"
    assert fields["x-forwarded-proto"] == ask.scheme
    assert fields["x-forwarded-host"] == f"localhost:{ask.port}"
    assert fields["x-forwarded-port"].isdigit()
    assert len(fields["x-request-id"]) >= 16


def test_what_a_stranger_says_of_who_asks_is_replaced(ask):
    spoofed = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil.example",
               "X-Forwarded-Port: 1", "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6"]  # fmt: skip
    fields = ask("/", *(word for line in spoofed for word in ("-H", line))).json()["fields"]
    for name, value in fields:
        if name.startswith("x-") or name == "forwarded":
            assert "6.6.6.6" not in value and "evil" not in value and "gopher" not in value, (name, value)
    assert dict(fields)["x-forwarded-for"] == "127.0.0.1"


def test_hop_by_hop_fields_stop_here(ask):
    if ask.version == "--http2":
        fields = ask("/", "-H", "TE: gzip").json()["fields"]  # HTTP/2 has no other
        assert "te" not in {name for name, _ in fields}
        return
    fields = ask("/", "-H", "Connection: close, X-Hop", "-H", "X-Hop: 1", "-H", "Keep-Alive: 5",
                 "-H", "Proxy-Connection: keep-alive", "-H", "TE: gzip").json()["fields"]  # fmt: skip
    names = {name for name, _ in fields}
    assert not names & {"x-hop", "keep-alive", "proxy-connection", "te", "upgrade"}


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_a_big_body_goes_up_whole(ask, tmp_path, how):
    body = os.urandom(32 * MIB)
    (tmp_path / "body").write_bytes(body)
    chunked = ["-H", "Transfer-Encoding: chunked"] if how == "chunked" else []
    told = ask("/", "--data-binary", f"@{tmp_path}/body", *chunked).json()
    assert (told["length"], told["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


def test_a_big_body_comes_down_whole(ask):
    assert ask(f"/bytes/{32 * MIB}").body == b"x" * 32 * MIB


def test_a_chunked_answer(ask):
    assert ask("/chunked").body == b"one two three"


def test_trailers_of_an_answer(ask):
    result = ask("/trailers", "-H", "TE: trailers")
    assert result.body == b"body"
    assert "c0ffee" in result.verbose, "the trailer field reaches the client"


def test_expect_100_continue(ask):
    """Over HTTP/2 there is no interim answer: curl sends the body after a second of its own."""
    result = ask("/", "-H", "Expect: 100-continue", "--data-binary", "x" * 5000)
    assert result.json()["length"] == 5000
    if ask.version == "--http1.1":
        assert "HTTP/1.1 100" in result.verbose


def test_answers_without_a_body(ask):
    assert ask("/bytes/1000", "--head").head["content-length"] == "1000"
    assert ask("/status/204").status == 204
    assert ask("/status/304").status == 304


@pytest.mark.parametrize("version", VERSIONS.values())
def test_head_is_answered_by_the_gateway_without_a_body(gateway, certificate, version):
    """curl fails where a body follows, or where the end of the answer does not."""
    scheme, flag = version
    site = [service("none"), ingress("one", {"/none": "none"}, secret="tls")]
    gateway.serve(*site, secret("tls", certificate("localhost")))
    for path, status in {"/elsewhere": 404, "/none": 503}.items():
        result = curl(gateway.url(path, scheme), "-kI", flag)
        assert result.status == status
        assert int(result.head["content-length"]) > 20


def test_a_client_connection_is_used_again(ask):
    """Two requests of one curl: one connection."""
    assert "Re-using existing connection" in ask("/", f"{ask.scheme}://localhost:{ask.port}/again").verbose


def test_hosts_and_paths_that_nobody_has_are_404(gateway, backend):
    gateway.serve(service("one", backend.port), ingress("one", {"/here": "one"}, host="known.example"))
    assert curl(gateway.url("/here"), "-H", "Host: known.example").status == 200
    assert curl(gateway.url("/there"), "-H", "Host: known.example").status == 404
    assert curl(gateway.url("/here"), "-H", "Host: unknown.example").status == 404


def test_a_backend_that_is_not_there_is_503_with_a_reason(gateway):
    gateway.serve(service("none"), ingress("one", {"/": "none"}))
    result = curl(gateway.url("/"))
    assert result.status == 503
    assert len(result.body) > 20, "the body says why"


def test_a_service_that_is_not_there_damages_its_own_path_alone(gateway, backend):
    gateway.serve(service("one", backend.port), ingress("one", {"/": "one", "/broken": "no-such-service"}))
    assert curl(gateway.url("/")).status == 200
    assert curl(gateway.url("/broken")).status == 503


def test_a_backend_that_answers_nonsense_or_nothing_is_502(gateway, scripted):
    def script(exchange):
        if exchange.head.first.startswith("GET /nonsense"):
            exchange.send(b"220 mail.example ESMTP\r\n")
        exchange.close()

    gateway.serve(service("one", scripted(script).port), ingress("one", {"/": "one"}))
    assert curl(gateway.url("/nonsense")).status == 502
    assert curl(gateway.url("/hangs-up"), "-X", "POST", "-d", "x").status == 502


def test_a_backend_that_is_too_slow_is_504(gateway, scripted):
    backend = scripted(lambda exchange: exchange.read_to_end())
    gateway.serve(application_gateway("slow", backend.port, settings={"requestTimeout": 1}))
    begun = time.monotonic()
    assert curl(gateway.url("/wait")).status == 504
    assert 0.9 < time.monotonic() - begun < 5


def test_a_body_cut_short_is_not_passed_off_as_whole(gateway, scripted):
    def script(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        exchange.close()

    gateway.serve(service("one", scripted(script).port), ingress("one", {"/": "one"}))
    with Client(gateway.http) as client:
        client.send(get("/cut"))
        assert not client.read_to_end().endswith(b"0\r\n\r\n")


def test_an_answer_is_streamed_and_held_back_by_a_slow_reader(gateway, backend):
    """256 MiB for a client that does not read: the backend is made to wait, and the gateway holds little."""
    gateway.serve(service("one", backend.port), ingress("one", {"/": "one"}))
    before = gateway.resident_bytes()
    with Client(gateway.http) as client:
        client.send(get("/stream/256"))
        client.read_until(b"\r\n\r\n")
        sent = -1
        while sent != backend.sent:  # until the backend gets no further
            sent = backend.sent
            wait_for(lambda begun=time.monotonic(): time.monotonic() - begun > 0.3, "a look at how far it got")
        assert sent < 64 * MIB
        assert gateway.resident_bytes() - before < 16 * MIB


def test_a_client_that_leaves_frees_the_backend(gateway, scripted):
    backend = scripted(lambda exchange: exchange.read_to_end())
    gateway.serve(service("one", backend.port), ingress("one", {"/": "one"}))
    with Client(gateway.http) as client:
        client.send(get("/wait"))
        exchange = backend.next()
    assert exchange.done.wait(5)


def test_an_idempotent_request_goes_to_another_member_when_the_first_hangs_up(gateway, scripted):
    bad, good = scripted(lambda exchange: exchange.close()), scripted(lambda exchange: exchange.send(response()))
    gateway.serve(service("one", bad.port, good.port), ingress("one", {"/": "one"}))
    wait_for(lambda: gateway.admin_text("/debug/config").count('"health": "up"') == 2, "both are up")
    assert [curl(gateway.url("/x")).status for _ in range(6)] == [200] * 6
    assert not bad.got_nothing(), "the bad one was tried"


def test_requests_are_spread_over_the_members(gateway, http_backend):
    names = ["a", "b", "c"]
    gateway.serve(service("one", *(http_backend(name).port for name in names)), ingress("one", {"/": "one"}))
    wait_for(lambda: {curl(gateway.url("/")).json()["server"] for _ in range(3)} == set(names), "each gets one of three")
