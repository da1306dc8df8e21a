"""Client certificates (sslProfiles of ApplicationGateways): who is let in, who is not, and what changes for whom when a CA does."""

import json
import socket
import ssl
import subprocess
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote

import pytest
from websockets.sync.client import connect

from authority import Authority
from curl import curl
from gateway import free_port
from http2_peer import Http2Client
from manifests import ingress, secret, secure_gateway, service, stream_gateway
from metrics import Metrics
from stream_backend import EchoBackend
from wire import Client, get

HOST, OTHER, OPEN = "staff.example", "devices.example", "open.example"


def ca(name, *issued):
    """A ConfigMap with CA certificates."""
    text = "".join(each.crt.read_text() for each in issued)
    metadata = {"name": name, "namespace": "default"}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": text}}]


def lists(**profiles):
    """Lists of a gateway: a profile for each name, with the CA certificates of the ConfigMap of that name."""
    return {
        "trustedClientCertificates": [{"name": name, "configMapRef": {"name": name}} for name in profiles],
        "sslProfiles": [
            {"name": name, "trustedClientCertificates": [{"name": name}]} | own for name, own in profiles.items()
        ],
    }


def listener(host, profile=None, **own):
    return {"hostName": host} | ({"sslProfile": {"name": profile}} if profile else {}) | own


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def staff(authority):
    return authority.root("staff")


@pytest.fixture(scope="session")
def devices(authority):
    return authority.root("devices")


@pytest.fixture(scope="session")
def alice(authority, staff):
    return authority.client("alice", staff)


@pytest.fixture(scope="session")
def sensor(authority, devices):
    return authority.client("sensor", devices)


@pytest.fixture
def backend(http_backend):
    return http_backend("one")


@pytest.fixture
def tls(certificate):
    return secret("tls", certificate(HOST, OTHER, OPEN))


@pytest.fixture
def served(gateway, backend, tls, staff, devices):
    """`staff.example` and `devices.example` ask for certificates of their own CA, `open.example` for none. One certificate is for all."""
    gateway.write("staff.json", ca("staff", staff))
    return gateway.serve(
        tls,
        ca("devices", devices),
        secure_gateway(
            "edge", backend.port,
            listener(HOST, "staff"), listener(OTHER, "devices"), listener(OPEN),
            **lists(staff={}, devices={}),
        ),
        arguments=["--log-format", "json"],
    )  # fmt: skip


def reached(gateway, name, *arguments, client=None, host=None):
    """Asks with curl. The status, or None where there was no answer."""
    to = ["--connect-to", f"::127.0.0.1:{gateway.https}", "--insecure", "-H", f"Host: {host or name}"]
    try:
        return curl(f"https://{name}/", *to, *(client.curl if client else []), *arguments).status
    except AssertionError:
        return None


def refused(gateway, cause):
    return Metrics(gateway.admin_text("/metrics")).of("clients_refused_total", cause=cause)


def context(client=None):
    """A client's settings of TLS 1.2, which Python's threads survive. It trusts everybody."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if client:
        context.load_cert_chain(client.chain, client.key)
    return context


class Kept(Client):
    """A connection of HTTP/1.1 that is kept."""

    def __init__(self, gateway, name, client):
        super().__init__(gateway.https)
        self.name, self.sock = name, context(client).wrap_socket(self.sock, server_hostname=name)

    def status(self, host=None):
        return self.ask(get("/", host or self.name)).status


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_certificate_of_the_ca_lets_in_and_no_other_does(served, authority, staff, alice, sensor, version):
    expired = authority.client(f"expired-{version}", staff, years=("2020", "2021"))
    itself = authority.root(f"itself-{version}")
    itself.chain.write_text(itself.crt.read_text())
    asked = lambda client: reached(served, HOST, f"--tlsv{version}", "--tls-max", version, client=client)  # noqa: E731
    assert [asked(client) for client in [alice, None, sensor, expired, itself]] == [200, None, None, None, None]
    assert reached(served, OTHER, client=sensor) == 200
    assert reached(served, OPEN) == 200
    assert reached(served, OPEN, client=sensor) == 200, "who is not asked for a certificate shows none"
    causes = [refused(served, f"client_certificate_{fault}") for fault in ["missing", "invalid"]]
    assert causes == [1, 3]
    records = [json.loads(line) for line in served.log().splitlines() if "connection refused" in line]
    assert [(record["host"], record["outcome"]) for record in records] == [
        (HOST, "client_certificate_missing"), *[(HOST, "client_certificate_invalid")] * 3
    ]  # fmt: skip
    assert "expired" in records[2]["detail"]


def test_a_client_sends_the_cas_between_itself_and_the_root(served, authority, staff):
    middle = authority.intermediate("middle", staff)
    carol = authority.client("carol", middle)
    assert reached(served, HOST, client=carol) == 200
    alone = authority.client("dave", middle)
    alone.chain.write_text(alone.crt.read_text())
    assert reached(served, HOST, client=alone) is None


def test_the_issuer_is_the_last_ca_of_the_chain_where_that_is_asked_for(gateway, backend, tls, authority, staff, alice):
    middle = authority.intermediate("team", staff)
    erin = authority.client("erin", middle)
    profile = {"clientAuthConfiguration": {"verifyClientCertIssuerDN": True, "verifyClientRevocation": "None"}}

    def site(own):
        return secure_gateway("edge", backend.port, listener(HOST, "staff"), **lists(staff=own))

    gateway.serve(tls, ca("staff", staff, middle), site({}))
    assert [reached(gateway, HOST, client=client) for client in [erin, alice]] == [200, 200]
    gateway.apply("site.json", tls, ca("staff", staff, middle), site(profile))
    assert [reached(gateway, HOST, client=client) for client in [erin, alice]] == [200, None]


@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
def test_a_connection_that_was_made_for_another_host_is_not_let_in(served, alice, sensor, version):
    """One certificate is for all three hosts, so a browser asks for all of them on one connection."""
    status = lambda name, host, client=None: reached(served, name, version, client=client, host=host)  # noqa: E731
    assert status(OPEN, HOST) == 421
    assert status(OPEN, HOST, alice) == 421
    assert status(OTHER, HOST, sensor) == 421
    assert status(HOST, OTHER, alice) == 421
    assert status(HOST, OPEN, alice) == 200
    assert status(HOST, HOST, alice) == 200


def test_a_handshake_without_a_server_name_reaches_no_host_that_asks_for_a_certificate(gateway, served, backend, certificate):
    gateway.apply(
        "any.json", secret("any", certificate("any.example")), secure_gateway("any", backend.port, {}, certificate="any")
    )
    for host, expected in [(HOST, 421), (OPEN, 200)]:
        told = subprocess.run(
            ["openssl", "s_client", "-quiet", "-ign_eof", "-noservername", "-connect", f"127.0.0.1:{gateway.https}"],
            input=get("/", host, "Connection: close"), capture_output=True, timeout=10,
        ).stdout  # fmt: skip
        assert f"HTTP/1.1 {expected}".encode() in told, host


def test_a_session_of_tls_is_not_resumed(served, alice, tmp_path):
    """A ticket would let a certificate in that has expired, or whose CA is gone."""
    ticket = tmp_path / "ticket"
    for version in ["-tls1_2", "-tls1_3"]:
        told = ""
        for option in ["-sess_out", "-sess_in"]:
            run = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{served.https}", "-servername", HOST, version,
                 *alice.openssl, "-ign_eof", *([option, ticket] if option == "-sess_out" or ticket.exists() else [])],
                input=get("/", HOST, "Connection: close"), capture_output=True, timeout=10,
            )  # fmt: skip
            told = run.stdout.decode("latin-1")
            assert "HTTP/1.1 200" in told
        assert "Reused, " not in told


def test_a_ticket_of_a_host_without_certificates_lets_nobody_in(gateway, served, backend, tls, staff, tmp_path):
    """The host begins to ask for certificates: whoever has been there before has to show one."""
    ticket = tmp_path / "ticket"

    def told(*arguments):
        run = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.https}", "-servername", OPEN, "-tls1_2", *arguments],
            input=b"", capture_output=True, timeout=10,
        )  # fmt: skip
        return run.stdout.decode("latin-1") + run.stderr.decode("latin-1")

    told("-sess_out", ticket)
    assert "Reused, TLSv1.2" in told("-sess_in", ticket)
    gateway.apply("site.json", tls, secure_gateway("edge", backend.port, listener(OPEN, "staff"), **lists(staff={})))
    assert "Reused, " not in told("-sess_in", ticket)
    assert reached(gateway, OPEN) is None


def test_a_ca_is_rotated_while_a_session_is_open(gateway, served, tls, authority, staff, alice, websocket_server):
    server = websocket_server("python")
    probe = {"path": "/", "match": {"statusCodes": ["426"]}}
    gateway.apply(
        "chat.json", secure_gateway("chat", server.port, listener("chat.example", "staff"), probe=probe, **lists(staff={}))
    )
    new = authority.root("new-staff")
    bob = authority.client("bob", new)

    def session(client):
        sock = socket.create_connection(("127.0.0.1", gateway.https))
        tls = context(client)
        return connect("wss://chat.example/", sock=sock, ssl=tls, server_hostname="chat.example", proxy=None)

    with session(alice) as chat, Kept(gateway, HOST, alice) as kept:
        chat.send("before")
        assert (chat.recv(), kept.status()) == ("before", 200)
        gateway.apply("staff.json", ca("staff", staff, new))
        chat.send("both")
        assert (chat.recv(), kept.status()) == ("both", 200), "its CA is still there, so it is let in again"
        assert [reached(gateway, HOST, client=client) for client in [alice, bob]] == [200, 200]

        gateway.apply("staff.json", ca("staff", new))
        chat.send("after")
        assert chat.recv() == "after"
        assert kept.status() == 421, "its CA is gone"
        assert [reached(gateway, HOST, client=client) for client in [alice, bob]] == [None, 200]
        with pytest.raises((OSError, EOFError)):
            session(alice)


def test_a_connection_of_http2_ends_once_its_certificate_is_not_trusted_any_more(gateway, served, authority, staff, alice):
    with Http2Client(gateway.https, tls_for=HOST, client=alice) as kept:
        status = lambda: kept.ask("/", method="GET", authority=HOST, without=["protocol"], end=True).answer()  # noqa: E731
        assert status() == 200
        gateway.apply("staff.json", ca("staff", authority.root("newest-staff")))
        assert status() == 421
        kept.wait(lambda: kept.goaways and kept.ended, "the end of the connection")
        assert set(kept.goaways) == {0}


def test_a_certificate_that_expires_is_good_no_longer_on_an_open_connection(gateway, served, authority, staff):
    end = datetime.now(timezone.utc) + timedelta(seconds=4)
    brief = authority.client("brief", staff, years=("2026", end.strftime("%Y%m%d%H%M%SZ")))
    with Kept(gateway, HOST, brief) as kept:
        assert kept.status() == 200
        time.sleep(max(0, (end - datetime.now(timezone.utc)).total_seconds()) + 1)
        assert kept.status() == 421
        assert kept.is_closed()


def test_a_ca_that_cannot_be_read_closes_what_it_guards(gateway, served, staff, alice, sensor):
    with Kept(gateway, HOST, alice) as kept:
        assert kept.status() == 200
        broken = ca("staff", staff)
        broken[0]["data"]["ca.crt"] = "nothing"
        gateway.apply("staff.json", broken)
        assert kept.status() == 503
    for client in [alice, None, sensor]:
        answer = curl(
            f"https://{HOST}/", "--connect-to", f"::127.0.0.1:{gateway.https}", "--insecure", *(client.curl if client else [])
        )
        assert (answer.status, answer.head["x-steadygate-reason"]) == (503, "AccessControl")
    assert reached(gateway, OTHER, client=sensor) == 200
    gateway.apply("staff.json", ca("staff", staff))
    assert [reached(gateway, HOST, client=client) for client in [alice, None]] == [200, None]


def test_a_server_name_is_required(gateway, backend, tls):
    gateway.serve(tls, secure_gateway("edge", backend.port, {"requireServerNameIndication": True}))
    run = lambda *more: subprocess.run(  # noqa: E731
        ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.https}", *more], input=b"", capture_output=True, timeout=10
    ).stdout.decode("latin-1")
    assert "New, (NONE)" in run("-noservername")
    assert "New, TLSv1.3" in run("-servername", HOST)


def test_a_stream_over_tls_asks_for_a_certificate(gateway, tls, staff, alice, sensor):
    gateway.tls = free_port()
    echo = EchoBackend()
    each = {"port": 8443, "protocol": "Tls", "service": "echo", "sslCertificate": {"name": "tls"}}
    gateway.serve(
        tls, service("echo", echo.port), ca("staff", staff),
        stream_gateway("edge", each | {"hostNames": [HOST], "sslProfile": {"name": "staff"}}, certificates=["tls"], **lists(staff={})),
        arguments=["--listen", f"8443=127.0.0.1:{gateway.tls}"],
    )  # fmt: skip

    def echoed(client):
        try:
            with socket.create_connection(("127.0.0.1", gateway.tls), timeout=5) as sock:
                with context(client).wrap_socket(sock, server_hostname=HOST) as tls:
                    tls.sendall(b"hello")
                    return tls.recv(5)
        except OSError:
            return None

    try:
        assert [echoed(client) for client in [alice, sensor, None]] == [b"hello", None, None]
    finally:
        echo.close()


def test_backends_are_told_of_the_certificate(gateway, backend, tls, authority, staff, alice):
    variables = ["", *(f"_{part}" for part in [
        "end_date", "fingerprint", "issuer", "serial", "start_date", "subject", "verification"])]  # fmt: skip
    headers = [
        {"headerName": f"X-Cert{part.replace('_', '-')}", "headerValue": f"{{var_client_certificate{part}}}"}
        for part in variables
    ]
    rewrites = [{"name": "told", "rewriteRules": [{"name": "r", "ruleSequence": 1, "actionSet": {"requestHeaderConfigurations": headers}}]}]
    odd = authority.client("odd", staff, subject="/O=Tests, Inc./OU=a\\+b/CN=x")
    objects = secure_gateway(
        "edge", backend.port, listener(HOST, "staff"), listener(OPEN), rewriteRuleSets=rewrites, **lists(staff={})
    )
    for rule in objects[0]["spec"]["requestRoutingRules"]:
        rule["rewriteRuleSet"] = {"name": "told"}
    gateway.serve(tls, ca("staff", staff), objects)

    def told(name, client, host=None):
        to = ["--connect-to", f"::127.0.0.1:{gateway.https}", "--insecure", "-H", f"Host: {host or name}", "-H", "X-Cert-Subject: forged"]
        return dict(curl(f"https://{name}/", *to, *client.curl).json()["fields"])

    def openssl(*arguments):
        run = subprocess.run(["openssl", "x509", "-noout", "-in", alice.crt, *arguments], capture_output=True, check=True)
        return run.stdout.decode().strip().split("=", 1)[1]

    seen = told(HOST, alice)
    assert unquote(seen["x-cert"]) == alice.crt.read_text()
    assert seen["x-cert-subject"] == openssl("-subject", "-nameopt", "RFC2253") == "CN=alice,O=Tests"
    assert seen["x-cert-issuer"] == "CN=staff,O=Tests"
    assert seen["x-cert-serial"] == openssl("-serial")
    assert seen["x-cert-start-date"] == openssl("-startdate")
    assert seen["x-cert-end-date"] == openssl("-enddate")
    assert seen["x-cert-fingerprint"] == openssl("-fingerprint", "-sha1").replace(":", "").lower()
    assert seen["x-cert-verification"] == "SUCCESS"
    assert told(HOST, odd)["x-cert-subject"] == "CN=x,OU=a\\+b,O=Tests\\, Inc."
    # The other host has not asked for it, so it says nothing there.
    seen = told(HOST, alice, host=OPEN)
    assert (seen["x-cert-verification"], "x-cert-subject" in seen) == ("NONE", False)


def test_an_ingress_has_the_profile_that_it_names_of_its_class(gateway, backend, tls, staff, devices, alice, sensor):
    """AGIC's annotation. Nobody shows a certificate in clear text, so nothing is served there."""
    parameters = secure_gateway("parameters", 80, {"frontendPort": {"name": "https"}, "sslProfile": {"name": "devices"}}, **lists(staff={}, devices={}))
    parameters[0]["spec"]["requestRoutingRules"] = []
    edge = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "edge"},
        "spec": {
            "controller": "steadygate.io/ingress-controller",
            "parameters": {
                "apiGroup": "steadygate.io", "kind": "ApplicationGateway", "name": "parameters",
                "scope": "Namespace", "namespace": "default",
            },
        },
    }  # fmt: skip
    named = {"appgw.ingress.kubernetes.io/appgw-ssl-profile": "staff", "steadygate.io/ssl-redirect": "false"}
    sites = [
        ingress("named", {"/": "one"}, host=HOST, secret="tls", annotations=named),
        ingress("default", {"/": "one"}, host=OTHER, secret="tls"),
    ]
    for site in sites:
        site[0]["spec"]["ingressClassName"] = "edge"
    gateway.write("staff.json", ca("staff", staff))
    gateway.serve(tls, ca("devices", devices), service("one", backend.port), parameters, [edge], *sites)
    reach = lambda host, client: reached(gateway, host, client=client)  # noqa: E731
    assert [reach(HOST, alice), reach(HOST, sensor), reach(HOST, None)] == [200, None, None]
    assert [reach(OTHER, sensor), reach(OTHER, alice)] == [200, None]
    assert curl(gateway.url(), "-H", f"Host: {HOST}").status == 503
    gateway.apply("staff.json", ca("staff", devices))
    assert [reach(HOST, alice), reach(HOST, sensor)] == [None, 200], "its CA was rotated"
    gateway.apply("staff.json", "")
    assert reach(HOST, sensor) == 503, "its CA is gone"
