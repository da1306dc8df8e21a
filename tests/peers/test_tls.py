"""TLS as openssl's own client sees it: which certificate, which version, which protocol."""

import re
import subprocess
from types import SimpleNamespace

import pytest

from curl import curl
from manifests import application_gateway, ingress, secret, service
from wire import Client, get


def s_client(port, *arguments, input=b""):
    """What `openssl s_client` tells of a connection, and whether it came about."""
    run = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments],
        input=input, capture_output=True, timeout=10,
    )  # fmt: skip
    return run.stdout.decode("latin-1") + run.stderr.decode("latin-1")


def common_name(told):
    return (re.search(r"subject=CN ?= ?(\S+)", told) or ["", None])[1]


def alpn(told):
    return (re.search(r"ALPN protocol: (\S+)", told) or ["", None])[1]


@pytest.fixture
def backend(http_backend):
    return http_backend("one")


@pytest.fixture
def served(gateway, backend, certificate):
    return gateway.serve(
        service("one", backend.port),
        secret("a-tls", certificate("a.example")),
        secret("b-tls", certificate("b.example")),
        secret("wild-tls", certificate("*.wild.example")),
        ingress("a", {"/": "one"}, host="a.example", secret="a-tls"),
        ingress("b", {"/": "one"}, host="b.example", secret="b-tls"),
        ingress("wild", {"/": "one"}, host="*.wild.example", secret="wild-tls"),
    )


@pytest.mark.parametrize(
    "name, expected",
    [("a.example", "a.example"), ("b.example", "b.example"), ("B.EXAMPLE", "b.example"),
     ("x.wild.example", "*.wild.example")],
)  # fmt: skip
def test_the_server_name_chooses_the_certificate(served, name, expected):
    assert common_name(s_client(served.https, "-servername", name)) == expected


@pytest.mark.parametrize("end", ["idle", "drain", "refused HEAD"])
def test_an_end_in_good_order_has_a_close_notify(gateway, backend, certificate, end):
    site = ingress("a", {"/": "one"}, host="a.example", secret="a-tls")
    arguments = ["--header-timeout", "1"] if end == "idle" else []
    gateway.serve(service("one", backend.port), secret("a-tls", certificate("a.example")), site, arguments=arguments)
    with Client(gateway.https, "a.example") as client:
        # An end without it is an error then.
        client.sock.suppress_ragged_eofs = False
        assert client.ask(get("/x", "a.example")).status == 200
        if end == "drain":
            gateway.terminate()
        if end == "refused HEAD":
            client.send(b"HEAD / HTTP/1.1\r\nHost: a.example\r\nA B: c\r\n\r\n")
            assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert client.is_closed()


def test_a_client_without_a_server_name_gets_the_default_or_nothing(gateway, served, certificate):
    """Such a client (it asks for an IP address) gets the certificate of an Ingress for every host, if there is one."""
    assert common_name(s_client(served.https, "-noservername")) is None
    gateway.apply(
        "default.json",
        secret("default", certificate("default.example")),
        ingress("default", {"/": "one"}, secret="default"),
    )
    assert common_name(s_client(served.https, "-noservername")) == "default.example"
    assert common_name(s_client(served.https, "-servername", "elsewhere.example")) == "default.example"
    assert common_name(s_client(served.https, "-servername", "a.example")) == "a.example"


@pytest.mark.parametrize("flag, version", [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_versions_that_are_spoken(served, flag, version):
    assert f"New, {version}" in s_client(served.https, "-servername", "a.example", flag)


def test_versions_that_are_not(served):
    told = s_client(served.https, "-servername", "a.example", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert "New, (NONE)" in told


@pytest.mark.parametrize(
    "offer, chosen", [("h2,http/1.1", "h2"), ("http/1.1", "http/1.1"), ("http/1.1,h2", "h2"), (None, None)]
)
def test_the_protocol_is_agreed_by_alpn(served, offer, chosen):
    told = s_client(served.https, "-servername", "a.example", *(["-alpn", offer] if offer else []))
    assert common_name(told) == "a.example"
    assert alpn(told) == chosen


def test_a_protocol_that_is_not_spoken_is_refused(served):
    assert "alert" in s_client(served.https, "-servername", "a.example", "-alpn", "spdy/1")


def test_a_request_by_hand(served):
    request = b"GET /hand HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
    told = s_client(served.https, "-servername", "a.example", "-quiet", "-ign_eof", input=request)
    assert "HTTP/1.1 200" in told
    assert '"target": "/hand"' in told


def test_curl_trusts_it(served, certificate):
    result = curl(
        f"https://a.example:{served.https}/", "--connect-to", f"::127.0.0.1:{served.https}", ca=certificate("a.example").path
    )
    assert (result.status, result.version) == (200, "2")


@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
def test_a_connection_with_another_hosts_certificate_is_misdirected(gateway, served, backend, certificate, version):
    """RFC 9110 section 15.5.20. Browsers put hosts of one certificate on one connection."""
    gateway.apply(
        "shared.json",
        secret("shared", certificate("one.example", "two.example")),
        ingress("one", {"/": "one"}, host="one.example", secret="shared"),
        ingress("two", {"/": "one"}, host="two.example", secret="shared"),
        # Each namespace has a copy of its own of a certificate for several hosts.
        secret("copy", certificate("one.example", "two.example")),
        ingress("copied", {"/": "one"}, host="copied.example", secret="copy"),
    )

    def status(name, host):
        to = ["--connect-to", f"::127.0.0.1:{gateway.https}", "--insecure", version, "-H", f"Host: {host}"]
        result = curl(f"https://{name}/{host}", *to)
        assert result.version == {"--http2": "2", "--http1.1": "1.1"}[version]
        return result.status

    assert status("a.example", "a.example") == 200
    assert status("a.example", "b.example") == 421
    assert status("b.example", "one.example") == 421
    assert status("one.example", "two.example") == 200
    assert status("two.example", "one.example") == 200
    assert status("two.example", "copied.example") == 200
    assert status("copied.example", "a.example") == 421


def test_a_certificate_is_replaced_without_a_restart(gateway, backend, certificate):
    gateway.write("tls.json", secret("tls", certificate("old.example", "a.example")))
    gateway.serve(service("one", backend.port), ingress("a", {"/": "one"}, host="a.example", secret="tls"))
    assert common_name(s_client(gateway.https, "-servername", "a.example")) == "old.example"
    gateway.apply("tls.json", secret("tls", certificate("new.example", "a.example")))
    assert common_name(s_client(gateway.https, "-servername", "a.example")) == "new.example"


def test_clients_judge_a_certificate(gateway, backend, tmp_path):
    """What `openssl x509 -req` makes without an extension file is of version 1, and extensions may be unknown here."""

    def openssl(*arguments):
        return subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True).stdout.decode()

    new = ["-newkey", "rsa:2048", "-nodes", "-keyout"]
    openssl("req", "-x509", *new, "ca.key", "-out", "ca.crt", "-subj", "/CN=CA")
    openssl("req", *new, "v1.key", "-out", "v1.csr", "-subj", "/CN=v1.example")
    openssl("x509", "-req", "-in", "v1.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "v1.crt")
    assert "Version: 1 " in openssl("x509", "-noout", "-text", "-in", "v1.crt")
    openssl("req", "-x509", *new, "odd.key", "-out", "odd.crt", "-subj", "/CN=odd.example",
            "-addext", "1.2.3.4=critical,ASN1:NULL")  # fmt: skip

    def pair(name):
        read = lambda end: (tmp_path / f"{name}.{end}").read_text()  # noqa: E731
        return secret(name, SimpleNamespace(crt=read("crt"), key=read("key")))

    gateway.serve(
        service("one", backend.port),
        *[[*pair(name), *ingress(name, {"/": "one"}, host=f"{name}.example", secret=name)] for name in ["v1", "odd"]],
    )
    for name in ["v1.example", "odd.example"]:
        assert common_name(s_client(gateway.https, "-servername", name)) == name


def test_the_default_certificate_is_for_hosts_and_clients_without_one(gateway, backend, certificate):
    gateway.write("default.json", secret("default", certificate("old.example")))
    gateway.serve(
        service("one", backend.port),
        secret("a-tls", certificate("a.example")),
        ingress("a", {"/": "one"}, host="a.example", secret="a-tls"),
        ingress("b", {"/": "one"}, host="b.example", secret="missing"),
        arguments=["--default-certificate", "default/default"],
    )

    def shown(*names):
        return [common_name(s_client(gateway.https, *(["-servername", name] if name else ["-noservername"]))) for name in names]

    assert shown("a.example", "b.example", "elsewhere.example", None) == ["a.example"] + 3 * ["old.example"]
    gateway.apply("default.json", secret("default", certificate("new.example")))
    assert shown("a.example", "b.example", "elsewhere.example", None) == ["a.example"] + 3 * ["new.example"]
    gateway.apply("default.json", "")
    assert shown("a.example", "b.example", None) == ["a.example", None, None]


def test_a_bad_certificate_damages_no_other(gateway, backend, certificate):
    broken = secret("broken", certificate("broken.example"))
    broken[0]["stringData"]["tls.key"] = certificate("a.example").key
    gateway.serve(
        service("one", backend.port),
        broken,
        secret("a-tls", certificate("a.example")),
        ingress("broken", {"/": "one"}, host="broken.example", secret="broken"),
        ingress("a", {"/": "one"}, host="a.example", secret="a-tls"),
    )
    assert common_name(s_client(gateway.https, "-servername", "a.example")) == "a.example"
    assert common_name(s_client(gateway.https, "-servername", "broken.example")) != "broken.example"


def test_no_secret_is_printed(gateway, backend, certificate):
    """At the log's most detailed level too."""
    own = certificate("a.example")
    gateway.serve(
        service("one", backend.port),
        secret("a-tls", own),
        ingress("a", {"/": "one"}, host="a.example", secret="a-tls"),
        arguments=["--log", "trace"],
    )
    to = ["--connect-to", f"::127.0.0.1:{gateway.https}"]
    assert curl("https://a.example/", *to, ca=own.path).status == 200
    mismatched = secret("a-tls", own)
    mismatched[0]["stringData"]["tls.crt"] = certificate("b.example").crt
    gateway.apply("site.json", mismatched, ingress("a", {"/": "one"}, host="a.example", secret="a-tls"))
    told = gateway.admin_text("/debug/config") + gateway.admin_text("/metrics") + gateway.log()
    assert "InvalidCertificate" in told
    assert "TRACE" in told
    for line in own.key.splitlines()[1:-1]:
        assert line not in told
    assert "PRIVATE KEY" not in told


def test_an_application_gateways_own_certificate(gateway, backend, certificate):
    objects = application_gateway("contoso", backend.port, hosts=["contoso.example"])
    spec = objects[0]["spec"]
    spec["frontendPorts"].append({"name": "port443", "port": 443})
    spec["sslCertificates"] = [{"name": "cert1", "secretRef": {"name": "tls"}}]
    spec["httpListeners"].append(
        {"name": "https", "frontendPort": {"name": "port443"}, "protocol": "Https", "sslCertificate": {"name": "cert1"},
         "hostNames": ["contoso.example"]}
    )  # fmt: skip
    spec["requestRoutingRules"].append(
        spec["requestRoutingRules"][0] | {"name": "tls-rule", "priority": 20, "httpListener": {"name": "https"}}
    )
    gateway.serve(secret("tls", certificate("contoso.example")), *objects)
    assert common_name(s_client(gateway.https, "-servername", "contoso.example")) == "contoso.example"
    assert curl(gateway.url("/"), "-H", "Host: contoso.example").status == 200


class TlsBackend:
    """openssl's own server, with a page for every request."""

    def __init__(self, certificate):
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-www", "-accept", "127.0.0.1:0", "-cert", certificate.path,
             "-key", certificate.path.with_suffix(".key")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.port = next(int(m[1]) for line in self.process.stdout if (m := re.search(r"ACCEPT .*:(\d+)", line)))

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def tls_backend(certificate):
    backend = TlsBackend(certificate("backend.example"))
    yield backend
    backend.close()


def over_https(backend, host, ca=None):
    objects = application_gateway("tls", backend.port, settings={"protocol": "Https", "hostName": host})
    if ca:
        spec = objects[0]["spec"]
        spec["trustedRootCertificates"] = [{"name": "ca", "secretRef": {"name": "ca"}}]
        spec["backendHttpSettingsCollection"][0]["trustedRootCertificates"] = [{"name": "ca"}]
        objects.append(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ca", "namespace": "default"},
             "stringData": {"ca.crt": ca.crt}}
        )  # fmt: skip
    return objects


def test_a_backend_over_https_that_is_vouched_for(gateway, tls_backend, certificate):
    gateway.serve(over_https(tls_backend, "backend.example", ca=certificate("backend.example")))
    result = curl(gateway.url("/"))
    assert result.status == 200
    assert b"s_server" in result.body


@pytest.mark.parametrize("why", ["nobody vouches for it", "it is for another name", "another vouches"])
def test_a_backend_over_https_is_verified(gateway, tls_backend, certificate, why):
    """A certificate that is not trusted: no request goes there, and the answer says so."""
    objects = {
        "nobody vouches for it": lambda: over_https(tls_backend, "backend.example"),
        "it is for another name": lambda: over_https(tls_backend, "other.example", ca=certificate("backend.example")),
        "another vouches": lambda: over_https(tls_backend, "backend.example", ca=certificate("a.example")),
    }[why]()
    gateway.serve(objects)
    assert curl(gateway.url("/")).status in (502, 503)
