"""The PROXY protocol: who the client is, in front of HTTP and of TLS."""

import json

import pytest

from gateway import wait_for
from manifests import ingress, secret, service
from wire import Client, get

VERSION_1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 12345 443\r\n"
#: With an extension, PP2_TYPE_NOOP.
VERSION_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10" + bytes([203, 0, 113, 7, 192, 0, 2, 1, 48, 57, 1, 187, 4, 0, 1, 0])
TRUSTED = ["--trusted-proxy", "127.0.0.0/8"]


@pytest.fixture
def site(http_backend, certificate):
    return [
        service("one", http_backend("one").port),
        secret("tls", certificate("localhost")),
        ingress("one", {"/": "one"}, host="localhost", secret="tls", annotations={"steadygate.io/ssl-redirect": "false"}),
    ]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("header", [VERSION_1, VERSION_2], ids=["1", "2"])
def test_a_load_balancer_names_the_client(gateway, site, scheme, header):
    gateway.serve(*site, arguments=[*TRUSTED, "--proxy-protocol", "80", "--proxy-protocol", "443"])
    port, tls_for = (gateway.http, None) if scheme == "http" else (gateway.https, "localhost")
    with Client(port, tls_for, before=header) as client:
        fields = dict(json.loads(client.ask(get("/x", "localhost")).body)["fields"])
    assert (fields["x-real-ip"], fields["x-forwarded-for"]) == ("203.0.113.7", "203.0.113.7")
    assert fields["x-forwarded-proto"] == scheme
    wait_for(lambda: "client=203.0.113.7 " in gateway.log(), "the record of the request")


def test_a_port_without_the_option_takes_no_header(gateway, site):
    gateway.serve(*site, arguments=[*TRUSTED, "--proxy-protocol", "443", "--log", "debug"])
    with Client(gateway.http) as client:
        client.send(b"PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n" + get("/"))
        answer = client.read_to_end()
    assert answer.startswith(b"HTTP/1.1 400 ") and b"--proxy-protocol" in answer


def test_tls_without_the_header_is_closed(gateway, site):
    gateway.serve(*site, arguments=[*TRUSTED, "--proxy-protocol", "443", "--log", "debug"])
    with Client(gateway.https) as client:
        assert client.send(bytes.fromhex("1603010200010001fc0303") + b"\0" * 64).is_closed()
    wait_for(lambda: "connection refused" in gateway.log(), "a line of the log")
    assert 'clients_refused_total{cause="proxy_header"} 1' in gateway.admin_text("/metrics")
