"""TLS policies of ApplicationGateways as openssl and curl see them: which versions, suites and protocols, and for which host."""

import json
import re
import shutil
import socket
import ssl
import subprocess

import pytest
from websockets.sync.client import connect

from curl import curl
from gateway import free_port, steadygate
from manifests import application_gateway, ingress, secret, secure_gateway, service, stream_gateway
from stream_backend import EchoBackend
from wire import Client, get

SUITE_128, SUITE_256 = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"


def s_client(port, *arguments):
    """What openssl's client tells of a connection, and whether it came about."""
    run = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments], input=b"", capture_output=True, timeout=10
    )
    return run.stdout.decode("latin-1") + run.stderr.decode("latin-1")


def agreed(port, name, *arguments):
    """Version and cipher suite that openssl's client agrees on, or None."""
    found = re.search(r"New, (TLSv1\.\d), Cipher is (\S+)", s_client(port, "-servername", name, *arguments))
    return found and (found[1], found[2])


def context():
    """A client's settings of TLS 1.2. It trusts everybody."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def session(gateway, name):
    """A WebSocket session over TLS 1.2."""
    sock = socket.create_connection(("127.0.0.1", gateway.https))
    return connect(f"wss://{name}/", sock=sock, ssl=context(), server_hostname=name, proxy=None)


class Kept(Client):
    """A connection of HTTP/1.1 with TLS 1.2, which is kept."""

    def __init__(self, gateway, name):
        super().__init__(gateway.https)
        self.name, self.sock = name, context().wrap_socket(self.sock, server_hostname=name)

    def status(self):
        return self.ask(get("/", self.name)).status


def status(gateway, name, *arguments, host=None):
    to = ["--connect-to", f"::127.0.0.1:{gateway.https}", "--insecure", "-H", f"Host: {host or name}"]
    result = curl(f"https://{name}/", *to, *arguments)
    return result.status, result.version


@pytest.fixture
def backend(http_backend):
    return http_backend("one")


@pytest.fixture
def tls(certificate):
    return secret("tls", certificate("a.example", "b.example", "c.example"))


PREDEFINED = {
    "AppGwSslPolicy20150501": {"TLSv1.2"},
    "AppGwSslPolicy20170401": {"TLSv1.2"},
    "AppGwSslPolicy20170401S": {"TLSv1.2"},
    "AppGwSslPolicy20220101": {"TLSv1.2", "TLSv1.3"},
    "AppGwSslPolicy20220101S": {"TLSv1.2", "TLSv1.3"},
}


@pytest.mark.parametrize("name, versions", PREDEFINED.items())
def test_a_predefined_policy_has_its_versions(gateway, backend, tls, name, versions):
    gateway.serve(tls, secure_gateway("edge", backend.port, {"hostName": "a.example"}, sslPolicy={"policyName": name}))
    flags = {"TLSv1.1": "-tls1_1", "TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}
    legacy = ["-cipher", "ALL:@SECLEVEL=0"]
    found = {version: agreed(gateway.https, "a.example", flag, *legacy) for version, flag in flags.items()}
    assert {version for version, told in found.items() if told} == versions
    for suite in ["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-SHA"]:
        assert agreed(gateway.https, "a.example", "-tls1_2", "-cipher", suite) is None
    for suite in [SUITE_128, SUITE_256]:
        assert agreed(gateway.https, "a.example", "-tls1_2", "-cipher", suite) == ("TLSv1.2", suite)
    if "TLSv1.3" in versions:
        assert agreed(gateway.https, "a.example", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", "-tls1_3") is None
        assert found["TLSv1.3"][1] == "TLS_AES_128_GCM_SHA256", "the policy's order decides"


def test_a_custom_policy_decides_on_the_order_and_ends_with_tls_1_2(gateway, backend, tls):
    suites = ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]
    policy = {"policyType": "Custom", "minProtocolVersion": "TLSv1_2", "cipherSuites": suites}
    gateway.serve(tls, secure_gateway("edge", backend.port, {"hostName": "a.example"}, sslPolicy=policy))
    assert agreed(gateway.https, "a.example", "-cipher", f"{SUITE_256}:{SUITE_128}") == ("TLSv1.2", SUITE_128)
    assert agreed(gateway.https, "a.example", "-tls1_3") is None
    policy["cipherSuites"] = suites[1:]
    gateway.apply("site.json", tls, secure_gateway("edge", backend.port, {"hostName": "a.example"}, sslPolicy=policy))
    assert agreed(gateway.https, "a.example", "-cipher", SUITE_128) is None
    assert agreed(gateway.https, "a.example", "-cipher", SUITE_256) == ("TLSv1.2", SUITE_256)


NEWEST = {"name": "newest", "sslPolicy": {"policyType": "CustomV2", "minProtocolVersion": "TLSv1_3"}}


@pytest.fixture
def two(gateway, backend, tls, certificate):
    """On one port: `a.example` with TLS 1.3 alone, `b.example` with the gateway's own default, and an Ingress."""
    return gateway.serve(
        tls,
        secure_gateway(
            "edge", backend.port,
            {"hostName": "a.example", "sslProfile": {"name": "newest"}}, {"hostName": "b.example"},
            sslProfiles=[NEWEST],
        ),
        service("one", backend.port),
        secret("other", certificate("i.example")),
        ingress("i", {"/": "one"}, host="i.example", secret="other"),
    )  # fmt: skip


def test_listeners_of_one_port_have_policies_of_their_own(two):
    assert agreed(two.https, "a.example", "-tls1_2") is None
    assert agreed(two.https, "a.example")[0] == "TLSv1.3"
    for name in ["b.example", "i.example", "elsewhere.example"]:
        assert bool(agreed(two.https, name, "-tls1_2")) == (name != "elsewhere.example")
    assert status(two, "a.example") == (200, "2")
    # One certificate is for both, so a client may ask on one connection for both: RFC 9113 section 9.1.1.
    assert status(two, "b.example", "--tls-max", "1.2", host="a.example") == (421, "2")
    assert status(two, "b.example", "--tls-max", "1.2", "--http1.1", host="a.example") == (421, "1.1")
    assert status(two, "b.example", host="a.example") == (200, "2")
    assert status(two, "a.example", host="b.example") == (200, "2")


def test_a_policy_that_changes_touches_no_open_connection(gateway, two, backend, websocket_server):
    server = websocket_server("python")

    def changing(listener, **lists):
        # The server knows nothing but handshakes.
        probe = {"path": "/", "match": {"statusCodes": ["426"]}}
        chat = secure_gateway("chat", server.port, {"hostName": "chat.example"} | listener, probe=probe, **lists)
        site = secure_gateway("site", backend.port, {"hostName": "site.example"} | listener, **lists)
        gateway.apply("changing.json", chat, site)

    changing({})
    with session(gateway, "chat.example") as chat, Kept(gateway, "site.example") as kept:
        chat.send("before")
        assert (chat.recv(), kept.status()) == ("before", 200)
        changing({"sslProfile": {"name": "newest"}}, sslProfiles=[NEWEST])
        for name in ["chat.example", "site.example"]:
            assert agreed(gateway.https, name, "-tls1_2") is None
        chat.send("after")
        assert (chat.recv(), kept.status()) == ("after", 200)


def test_a_session_is_not_resumed_after_its_policy_has_changed(gateway, two, backend, tls, tmp_path):
    ticket = tmp_path / "ticket"

    def resumed():
        told = s_client(gateway.https, "-servername", "b.example", "-tls1_2", "-sess_in", ticket)
        return "Reused, TLSv1.2" in told

    s_client(gateway.https, "-servername", "b.example", "-tls1_2", "-sess_out", ticket)
    assert resumed()
    listener = {"hostName": "b.example"}
    policy = {"policyType": "Custom", "cipherSuites": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]}
    gateway.apply("site.json", tls, secure_gateway("edge", backend.port, listener, sslPolicy=policy))
    assert not resumed()


def test_a_policy_of_which_nothing_is_left_closes_its_listeners(gateway, backend, tls):
    old = {"disabledSslProtocols": ["TLSv1_2", "TLSv1_3"]}
    closed, open_ = {"hostName": "a.example"}, {"hostName": "b.example", "sslProfile": {"name": "newest"}}
    gateway.serve(tls, secure_gateway("edge", backend.port, closed, open_, sslPolicy=old, sslProfiles=[NEWEST]))
    assert status(gateway, "a.example")[0] == 503
    assert status(gateway, "b.example")[0] == 200


def test_http2_is_off_for_one_gateway(gateway, backend, tls):
    gateway.serve(
        tls,
        secure_gateway("off", backend.port, {"hostName": "a.example"}, enableHttp2=False),
        secure_gateway("on", backend.port, {"hostName": "b.example"}),
    )
    assert status(gateway, "a.example", "--http2") == (200, "1.1")
    assert status(gateway, "b.example", "--http2") == (200, "2")
    assert status(gateway, "b.example", "--http2", host="a.example") == (421, "2")
    assert "alert" in s_client(gateway.https, "-servername", "a.example", "-alpn", "h2")


def test_http2_is_off_in_clear_text_too(gateway, backend):
    off, on = (application_gateway(name, backend.port, hosts=[f"{name}.example"]) for name in ["off", "on"])
    off[0]["spec"]["enableHttp2"] = False
    gateway.serve(off, on, arguments=["--h2c"])

    def asked(host, version):
        result = curl(gateway.url(), version, "-H", f"Host: {host}")
        return result.status, result.head["x-steadygate-reason"]

    assert asked("off.example", "--http2-prior-knowledge") == (505, "HttpVersion")
    assert asked("off.example", "--http1.1") == (200, "")
    assert asked("on.example", "--http2-prior-knowledge") == (200, "")


def test_a_stream_over_tls_has_the_policy_of_its_server_name(gateway, tls):
    gateway.tls = free_port()
    echo = EchoBackend()
    listener = {"port": 8443, "protocol": "Tls", "service": "echo", "sslCertificate": {"name": "tls"}}
    strict = listener | {"hostNames": ["a.example"], "sslProfile": {"name": "newest"}}
    gateway.serve(
        tls, service("echo", echo.port),
        stream_gateway("edge", strict, listener | {"hostNames": ["b.example"]}, certificates=["tls"], sslProfiles=[NEWEST]),
        arguments=["--listen", f"8443=127.0.0.1:{gateway.tls}"],
    )  # fmt: skip
    try:
        assert agreed(gateway.tls, "a.example", "-tls1_2") is None
        assert agreed(gateway.tls, "a.example")[0] == "TLSv1.3"
        assert agreed(gateway.tls, "b.example", "-tls1_2")[0] == "TLSv1.2"
    finally:
        echo.close()


def test_explain_and_diff_name_the_policy(two, backend, tls, tmp_path):
    told = steadygate("explain", "--manifests", two.manifests, "https://a.example/").stdout
    assert "connection TLS with TLS_AES_256_GCM_SHA384" in told
    assert "(ApplicationGateway default/edge: spec.sslProfiles[0])" in told
    assert "connection" not in steadygate("explain", "--manifests", two.manifests, "https://b.example/").stdout
    changed = tmp_path / "changed"
    shutil.copytree(two.manifests, changed)
    objects = (changed / "site.json").read_text()
    (changed / "site.json").write_text(objects.replace("TLSv1_3", "TLSv1_2"))
    difference = json.loads(steadygate("diff", "--manifests", two.manifests, changed, "--json").stdout)
    assert [(each["name"], [field["field"] for field in each["fields"]]) for each in difference["changes"]["listeners"]] == [
        ("443", ["TLS of a.example.cipher_suites"])
    ]
