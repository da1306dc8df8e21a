"""Clients are admitted and refused by their address: the peer's, or the one that a trusted proxy tells."""

import pytest

from curl import curl
from gateway import wait_for
from manifests import ingress, secret, service
from wire import HANDSHAKE, Client, answers, get, response

ALLOW, DENY = (f"nginx.ingress.kubernetes.io/{name}list-source-range" for name in ("allow", "deny"))
PROXY = ["--trusted-proxy", "127.0.0.1/32"]
LISTS = {ALLOW: "203.0.113.0/24, 2001:db8::7", DENY: "203.0.113.66"}
ADMITTED = {
    "203.0.113.9": True,
    "203.0.113.66": False,
    "198.51.100.1": False,
    "2001:db8::7": True,
    "2001:db8::8": False,
    "::ffff:203.0.113.9": True,
}


@pytest.fixture
def site(gateway, scripted, certificate):
    """`site(lists, *arguments)`: serves a host with these lists; gives its backend."""

    def begin(lists, *arguments):
        backend = scripted(answers(response()))
        gateway.serve(
            service("one", backend.port),
            secret("tls", certificate("server.example.com")),
            ingress("one", {"/": "one"}, host="server.example.com", secret="tls", annotations=lists),
            arguments=arguments,
        )
        return backend

    return begin


@pytest.mark.parametrize(("client", "admitted"), ADMITTED.items())
def test_requests_and_handshakes_are_judged_by_the_client_that_a_trusted_proxy_tells(gateway, site, client, admitted):
    backend = site(LISTS, *PROXY)
    told = f"X-Forwarded-For: {client}"
    handshake = HANDSHAKE[:-2] + f"{told}\r\n\r\n".encode()
    for asked in (get("/x", "server.example.com", told), handshake):
        with Client(gateway.http) as connection:
            answer = connection.ask(asked)
        assert answer.status == (200 if admitted else 403)
        assert admitted or answer["x-steadygate-reason"] == "ClientAddress"
    assert backend.got_nothing() is not admitted


@pytest.mark.parametrize(("client", "status"), [("203.0.113.9", 200), ("198.51.100.1", 403)])
def test_http2_is_judged_alike(gateway, site, certificate, client, status):
    site(LISTS, *PROXY)
    port = gateway.https
    url, connect = f"https://server.example.com:{port}/x", f"server.example.com:{port}:127.0.0.1:{port}"
    ca = certificate("server.example.com").path
    answer = curl(url, "--http2", "--connect-to", connect, "--header", f"X-Forwarded-For: {client}", ca=ca)
    assert (answer.status, answer.version) == (status, "2")


def test_what_a_stranger_says_of_itself_admits_nobody(gateway, site):
    backend = site(LISTS)
    with Client(gateway.http) as connection:
        assert connection.ask(get("/x", "server.example.com", "X-Forwarded-For: 203.0.113.9")).status == 403
    assert backend.got_nothing()


def test_an_open_session_stays_when_its_client_is_no_longer_admitted(gateway, crowd, crowd_backend):
    backend = crowd_backend()
    gateway.serve(service("echo", backend.port), ingress("chat", {"/": "echo"}, host="localhost"))
    clients = crowd.open(gateway.http, 5)
    gateway.apply("chat.json", ingress("chat", {"/": "echo"}, host="localhost", annotations={DENY: "127.0.0.0/8"}))
    wait_for(lambda: ask(gateway) == 403, "the list is in use")
    assert crowd.echo(clients) == 5


def ask(gateway):
    with Client(gateway.http) as connection:
        return connection.ask(get("/", "localhost")).status
