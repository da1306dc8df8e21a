"""Who the client is, where a trusted proxy stands in front: one fact, wherever it shows."""

import pytest

from gateway import wait_for
from manifests import ingress, secret, service
from wire import HANDSHAKE, Client, answers, get, response

PROXIES = ["--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "192.0.2.0/24"]
TO_HTTPS = {"appgw.ingress.kubernetes.io/ssl-redirect": "true"}


@pytest.fixture
def site(gateway, scripted, certificate):
    """`site(*arguments)`: serves a host that redirects to HTTPS; gives its backend."""

    def begin(*arguments):
        backend = scripted(answers(response()))
        gateway.serve(
            service("one", backend.port),
            secret("tls", certificate("server.example.com")),
            ingress("one", {"/": "one"}, host="server.example.com", secret="tls", annotations=TO_HTTPS),
            arguments=["--log-format", "json", *arguments],
        )
        return backend

    return begin


def ask(gateway, *fields, path="/x"):
    with Client(gateway.http) as client:
        return client.ask(get(path, "server.example.com", *fields))


OVER_TLS = [
    ["X-Forwarded-Proto: https"],
    ["X-Forwarded-Proto: HTTPS, http"],
    ["X-Forwarded-Proto: wss"],
    ["X-Forwarded-Ssl: on"],
    ["X-Forwarded-Port: 443"],
    ["Front-End-Https: on"],
    ["Forwarded: for=203.0.113.9;proto=https"],
]


@pytest.mark.parametrize("said", OVER_TLS, ids=lambda said: said[0])
def test_who_came_by_https_is_served(gateway, site, said):
    backend = site(*PROXIES)
    assert ask(gateway, *said).status == 200
    head = backend.next().head
    assert head["x-forwarded-proto"] in ("https", "wss") and head["x-forwarded-port"] == "443"
    for other in ([], ["X-Forwarded-Proto: http"], ["X-Forwarded-Proto: gopher"]):
        answer = ask(gateway, *other)
        assert (answer.status, answer["location"]) == (301, "https://server.example.com/x")


@pytest.mark.parametrize("said", OVER_TLS, ids=lambda said: said[0])
def test_a_stranger_is_redirected_whatever_it_says(gateway, site, said):
    backend = site()
    assert ask(gateway, *said).status == 301
    assert backend.got_nothing()


def test_a_handshake_is_not_redirected_either(gateway, site):
    backend = site(*PROXIES)
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE[:-2] + b"X-Forwarded-Proto: https\r\n\r\n").status == 200
    assert backend.next().head["sec-websocket-key"] == "dGhlIHNhbXBsZSBub25jZQ=="


def test_a_redirect_leads_to_the_host_that_the_client_asked_for(gateway, site):
    site(*PROXIES)
    for told, location in {
        "www.example.com": "https://www.example.com/x",
        "www.example.com:80": "https://www.example.com/x",
        "www.example.com:evil": "https://server.example.com/x",
    }.items():
        assert ask(gateway, f"X-Forwarded-Host: {told}")["location"] == location
    assert ask(gateway, path="/caf\u00e9?q=%22")["location"] == "https://server.example.com/caf%C3%A9?q=%22"


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ("X-Forwarded-For: 203.0.113.9", "203.0.113.9"),
        ("X-Forwarded-For: 198.51.100.1, 203.0.113.9, 192.0.2.5", "203.0.113.9"),
        ("X-Forwarded-For: [2001:db8::7]:4711", "2001:db8::7"),
        ("X-Real-IP: 203.0.113.9", "203.0.113.9"),
        ("Forwarded: for=\"[2001:db8::7]:4711\";proto=https", "2001:db8::7"),
        ("X-Forwarded-For: nobody", "127.0.0.1"),
    ],
)
def test_backends_and_records_have_the_client(gateway, site, said, client):
    backend = site(*PROXIES)
    # `Forwarded` is read where none of the others is there.
    scheme = [] if said.startswith("Forwarded") else ["X-Forwarded-Proto: https"]
    assert ask(gateway, said, *scheme).status == 200
    assert backend.next().head["x-real-ip"] == client
    entry = wait_for(lambda: next(iter(gateway.entries("request")), None), "the record")
    assert entry["client"] == client
