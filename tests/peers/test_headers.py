"""Fields and targets as the backend sees them, and those that never reach it."""

import pytest

from curl import curl
from manifests import ingress, secret, service
from wire import Client, answers, get, response

PREFIX = {"appgw.ingress.kubernetes.io/backend-path-prefix": "/override/"}


@pytest.fixture
def backend(http_backend):
    return http_backend("one")


def one(port):
    return [service("one", port), ingress("one", {"/": "one"})]


def test_what_a_trusted_proxy_says_is_kept(gateway, backend):
    gateway.write("site.json", *one(backend.port))
    gateway.start("--trusted-proxy", "127.0.0.0/8")
    fields = dict(
        curl(gateway.url("/"), "-H", "X-Forwarded-For: 203.0.113.7", "-H", "X-Forwarded-Proto: https").json()["fields"]
    )
    assert fields["x-forwarded-for"] == "203.0.113.7, 127.0.0.1"
    assert fields["x-forwarded-proto"] == "https"


CLAIMED = ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 198.51.100.9, 192.0.2.1"]


@pytest.mark.parametrize(
    ("trusted", "chain"),
    [("127.0.0.0/8", "203.0.113.7, 198.51.100.9, 192.0.2.1, 127.0.0.1"), ("192.0.2.0/24", "127.0.0.1")],
)
def test_a_chain_of_proxies_in_two_lines(gateway, scripted, trusted, chain):
    backend = scripted(answers(response()))
    gateway.serve(*one(backend.port), arguments=["--trusted-proxy", trusted])
    with Client(gateway.http) as client:
        assert client.ask(get("/x", "localhost", *CLAIMED)).status == 200
    assert backend.next().head.values("x-forwarded-for") == [chain]


def test_fields_that_connection_names_stop_here_whatever_else_it_says(gateway, scripted):
    backend = scripted(answers(response()))
    gateway.serve(*one(backend.port))
    with Client(gateway.http) as client:
        fields = b"Connection: X-Secret, \xe9t\xe9, X-Other\r\nX-Secret: 1\r\nX-Other: 2\r\nX-Kept: 3\r\n\r\n"
        assert client.ask(get("/x")[:-2] + fields).status == 200
    head = backend.next().head
    assert (head["x-secret"], head["x-other"], head["x-kept"]) == ("", "", "3")


def test_proxy_does_not_reach_programs_that_take_it_for_their_own(gateway, backend):
    """`Proxy` becomes HTTP_PROXY in CGI."""
    gateway.serve(*one(backend.port))
    fields = dict(curl(gateway.url("/"), "-H", "Proxy: http://evil.example", "-H", "X-Kept: 1").json()["fields"])
    assert "proxy" not in fields and fields["x-kept"] == "1"


def test_426_says_what_to_upgrade_to(gateway, scripted):
    """RFC 9110, section 15.5.22: it must."""
    refusal = response(b"not so", "426 Upgrade Required", "Upgrade: websocket", "Connection: Upgrade")
    gateway.serve(*one(scripted(answers(refusal)).port))
    with Client(gateway.http) as client:
        answer = client.ask(get("/x"))
        assert (answer.status, answer["upgrade"], answer.body) == (426, "websocket", b"not so")
        assert "upgrade" in answer["connection"].lower()


def test_a_redirect_needs_a_host_to_lead_to(gateway, backend, certificate):
    to_https = {"appgw.ingress.kubernetes.io/ssl-redirect": "true"}
    gateway.serve(
        service("one", backend.port),
        secret("tls", certificate("localhost")),
        ingress("one", {"/": "one"}, secret="tls", annotations=to_https),
    )
    with Client(gateway.http) as client:
        assert client.ask(b"GET /x HTTP/1.0\r\n\r\n").status == 400
    with Client(gateway.http) as client:
        answer = client.ask(b"GET /x HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert (answer.status, answer["location"]) == (301, "https://localhost/x")


@pytest.mark.parametrize(
    ("target", "sent"),
    {
        "/shop": "/override/",
        "/shop/a?q=//%70": "/override/a?q=//%70",
        "//shop/a": "/override/a",
        "/%73hop/a": "/override/a",
        "//%73h%6Fp//a": "/override/a",
        "/shop//a": "/override/a",
        "/shop/./x/../a": "/override/a",
        "/shop/a%2Fb": "/override/a%2Fb",
    }.items(),
)
def test_a_rewritten_path_is_the_one_that_was_matched(gateway, scripted, target, sent):
    backend = scripted(answers(response()))
    gateway.serve(service("one", backend.port), ingress("one", {"/shop": "one"}, annotations=PREFIX))
    with Client(gateway.http) as client:
        assert client.ask(get(target)).status == 200
    assert backend.next().head.first == f"GET {sent} HTTP/1.1"
