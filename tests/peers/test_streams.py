"""Streams without HTTP: Tcp and Tls listeners, byte by byte and with a real Redis; how they end, and where they are shown."""

import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from gateway import documents, free_port, steadygate, wait_for
from manifests import application_gateway, secret, service, stream_gateway
from metrics import Metrics
from stream_backend import EchoBackend, StreamBackend, reset
from wire import Client

OBJECT = "ApplicationGateway default/edge"
ROUTE = "ApplicationGateway default/edge :5432 *"


@pytest.fixture
def backend():
    backend = StreamBackend()
    yield backend
    backend.close()


@pytest.fixture
def echo():
    backend = EchoBackend()
    yield backend
    backend.close()


@pytest.fixture
def edge(gateway):
    """`edge(objects, *options)`: serves them, with frontend ports 5432 and 8443 at `gateway.tcp` and `gateway.tls`."""
    gateway.tcp, gateway.tls = free_port(), free_port()

    def serve(*objects, arguments=()):
        ports = ["--listen", f"5432=127.0.0.1:{gateway.tcp}", "--listen", f"8443=127.0.0.1:{gateway.tls}"]
        return gateway.serve(*objects, arguments=[*ports, "--log-format", "json", *arguments])

    return serve


def tcp(service="db", **settings):
    return {"port": 5432, "service": service, "settings": settings}


def tls(*names, service="db", certificate=None, **settings):
    listener = {"port": 8443, "protocol": "Tls", "service": service, "settings": settings}
    if names:
        listener["hostNames"] = list(names)
    if certificate:
        listener["sslCertificate"] = {"name": certificate}
    return listener


def sessions(gateway):
    return json.loads(gateway.admin_text("/sessions"))["sessions"]


def metrics(gateway):
    return Metrics(gateway.admin_text("/metrics"))


def closed(gateway, cause):
    """The record of a session that was closed for this cause."""

    def records():
        return [entry for entry in gateway.entries("session closed") if entry["cause"] == cause]

    return wait_for(records, f"a session was closed: {cause}")[-1]


def ends_by_reset(stream):
    with pytest.raises(ConnectionResetError):
        while stream.sock.recv(65536):
            pass
    return True


def is_reset(port):
    """Whether a connection to the port is reset, be it before it is used."""
    with pytest.raises(ConnectionResetError), Client(port) as client:
        while client.sock.recv(65536):
            pass
    return True


def secure(port, name, cafile=None, protocols=()):
    """A client of TLS. Without `cafile` it takes any certificate."""
    context = ssl.create_default_context(cafile=cafile)
    if cafile is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10), server_hostname=name)


# Real clients and servers


@pytest.fixture
def redis(tmp_path, certificate):
    """A Redis server with a port in clear text and one of TLS; `command(port, *words)` runs redis-cli."""
    if not shutil.which("redis-server"):
        pytest.fail("redis-server is missing: make peers installs it")
    pair = certificate("redis.example.com")
    key = tmp_path / "redis.key"
    key.write_text(pair.key)
    plain, encrypted = free_port(), free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(plain), "--tls-port", str(encrypted), "--tls-cert-file", pair.path,
         "--tls-key-file", key, "--tls-auth-clients", "no", "--tls-ca-cert-file", pair.path, "--bind", "127.0.0.1",
         "--save", "", "--dir", tmp_path],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip

    class Redis:
        ports = {"plain": plain, "tls": encrypted}
        certificate = pair

        @staticmethod
        def command(port, *words, sni=None):
            options = ["--tls", "--sni", sni, "--cacert", str(pair.path)] if sni else []
            return subprocess.run(
                ["redis-cli", "-p", str(port), *options, *words], capture_output=True, text=True, timeout=10
            )

    wait_for(lambda: Redis.command(plain, "PING").stdout == "PONG\n", "Redis answers")
    yield Redis
    server.kill()
    server.wait()


@pytest.mark.parametrize("way", ["tcp", "terminated", "terminated-and-encrypted", "passed-through"])
def test_a_real_redis_is_served(edge, gateway, redis, way):
    name = "redis.example.com"
    roots = {"trustedRootCertificates": [{"name": "ca", "secretRef": {"name": "ca"}}]}
    encrypted = {"protocol": "Tls", "hostName": name, "trustedRootCertificates": [{"name": "ca"}]}
    listener = {
        "tcp": tcp(),
        "terminated": tls(name, certificate="redis"),
        "terminated-and-encrypted": tls(name, certificate="redis", **encrypted),
        "passed-through": tls(name),
    }[way]
    backend = "tls" if way in ("terminated-and-encrypted", "passed-through") else "plain"
    ca = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ca", "namespace": "default"},
        "stringData": {"ca.crt": redis.certificate.crt},
    }  # fmt: skip
    edge(
        service("db", redis.ports[backend]),
        secret("redis", redis.certificate),
        ca,
        stream_gateway("edge", listener, certificates=["redis"], **roots),
    )
    port, sni = (gateway.tcp, None) if way == "tcp" else (gateway.tls, name)
    value = "x" * 1_000_000
    assert redis.command(port, "SET", "key", "value", sni=sni).stdout == "OK\n"
    assert redis.command(port, "GET", "key", sni=sni).stdout == "value\n"
    assert redis.command(port, "EVAL", f"return string.rep('x', {len(value)})", "0", sni=sni).stdout == f"{value}\n"
    kind = {"tcp": "tcp", "passed-through": "tls-passthrough"}.get(way, "tls")
    wait_for(lambda: metrics(gateway).of("stream_sessions_open", OBJECT, protocol=kind) == 0, "no session is left")
    counted = metrics(gateway)
    assert counted.of("stream_connections_total", OBJECT, protocol=kind, outcome="opened") == 3
    assert counted.of("stream_bytes_total", OBJECT, protocol=kind, direction="down") > len(value)


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_a_subscriber_of_redis_is_listed_and_drained_with_its_pod(edge, gateway, redis, kind):
    sni = {"tcp": None, "tls": "redis.example.com"}[kind]
    objects = service("db", redis.ports["plain"])
    objects[1]["endpoints"][0]["targetRef"] = {"kind": "Pod", "namespace": "default", "name": "redis-0"}
    listener = tls(sni, certificate="redis") if sni else tcp()
    rest = [*secret("redis", redis.certificate), *stream_gateway("edge", listener, certificates=["redis"])]
    edge(objects, rest)
    port = gateway.tls if sni else gateway.tcp
    with Client(port, tls_for=sni) as subscriber:
        subscriber.send(b"SUBSCRIBE news\r\n").read_until(b":1\r\n")
        redis.command(port, "PUBLISH", "news", "hello", sni=sni)
        assert subscriber.read_until(b"hello\r\n").endswith(b"hello\r\n")
        table = steadygate("sessions", "--admin", f"127.0.0.1:{gateway.admin}", "--pod", "default/redis-0").stdout
        assert table.splitlines()[1].split()[4:6] == [kind, "ApplicationGateway"]
        objects[1]["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
        gateway.apply("site.json", objects, rest)
        assert subscriber.read_to_end() == b""
    assert closed(gateway, "member_drain").get("code") is None


# Bytes


def test_the_server_may_speak_first_and_bytes_are_what_they_were(edge, gateway):
    backend = StreamBackend(greeting=b"220 ready\r\n")
    edge(service("db", backend.port), stream_gateway("edge", tcp()))
    sent = bytes(range(256)) * 4096
    with Client(gateway.tcp) as client:
        assert client.read(11) == b"220 ready\r\n"
        server = backend.next()
        assert (client.send(sent), server.read(len(sent)))[1] == sent
        assert (server.send(sent), client.read(len(sent)))[1] == sent
    backend.close()


@pytest.mark.parametrize("first", ["client", "server"])
def test_each_direction_ends_by_itself(edge, gateway, backend, first):
    edge(service("db", backend.port), stream_gateway("edge", tcp()))
    with Client(gateway.tcp) as client:
        server = backend.next()
        ending, other = (client, server) if first == "client" else (server, client)
        ending.send(b"all").half_close()
        assert other.read_to_end() == b"all"
        # Longer than the gateway takes to notice an end.
        time.sleep(0.3)
        other.send(b"the answer").half_close()
        assert ending.read_to_end() == b"the answer"
    wait_for(lambda: not sessions(gateway), "the session has ended")
    closed(gateway, "backend" if first == "server" else "client")


@pytest.mark.parametrize("first", ["client", "server"])
def test_a_reset_is_passed_on_as_one(edge, gateway, backend, first):
    edge(service("db", backend.port), stream_gateway("edge", tcp()))
    with Client(gateway.tcp) as client:
        server = backend.next()
        client.send(b"hello")
        assert server.read(5) == b"hello"
        reset(client if first == "client" else server)
        assert ends_by_reset(server if first == "client" else client)
    wait_for(lambda: not sessions(gateway), "the session has ended")


def test_a_slow_reader_stops_its_own_stream_alone_and_loses_nothing(edge, gateway, backend, echo):
    edge(
        service("db", backend.port),
        service("echo", echo.port),
        stream_gateway("edge", tcp(), {"port": 8443, "service": "echo"}),
    )
    block, sent = bytes(range(256)) * 256, hashlib.sha256()
    with Client(gateway.tcp) as client, Client(gateway.tls) as other:
        server = backend.next()
        server.sock.settimeout(1)
        total = 0
        with pytest.raises(TimeoutError):
            while total < 256 << 20:
                count = server.sock.send(block)
                sent.update(block[:count])
                total += count
        assert total < 64 << 20, "nothing holds the server up"
        assert other.send(b"hello").read(5) == b"hello"
        server.half_close()
        received = hashlib.sha256()
        while data := client.sock.recv(1 << 20):
            received.update(data)
        assert received.digest() == sent.digest()


# TLS


def test_names_of_one_port_lead_apart_and_others_get_an_alert(edge, gateway, echo, backend, certificate, tmp_path):
    pair = certificate("a.example.com")
    edge(
        service("echo", echo.port),
        service("db", backend.port),
        secret("tls", pair),
        stream_gateway(
            "edge", tls("a.example.com", service="echo", certificate="tls"), tls("*.b.example.com"), certificates=["tls"]
        ),
    )
    with secure(gateway.tls, "A.example.com", pair.path) as terminated:
        terminated.sendall(b"hello")
        assert terminated.recv(5) == b"hello"
    passed = threading.Thread(target=lambda: pytest.raises(OSError, secure, gateway.tls, "deep.in.b.example.com"))
    passed.start()
    server = backend.next()
    hello = server.read(5)
    assert hello[0] == 22 and b"deep.in.b.example.com" in server.read(int.from_bytes(hello[3:5], "big"))
    reset(server)
    passed.join()
    for name in ("b.example.com", None):
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            secure(gateway.tls, name)
    assert metrics(gateway).of("clients_refused_total", cause="server_name") == 2
    refused = gateway.entries("stream refused")[-1]
    assert (refused["outcome"], refused["protocol"]) == ("server_name", "tls")


def test_what_is_no_client_hello_is_refused_and_reaches_nobody(edge, gateway, backend):
    edge(service("db", backend.port), stream_gateway("edge", tls()))
    # The beginning of a ClientHello of 20,000 bytes.
    long = b"\x16\x03\x01\x40\x00" + b"\x01\x00\x4e\x20" + b"\0" * 16_380
    for said in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0\0\0\x08\x04\xd2\x16\x2f", long):
        with Client(gateway.tls) as client:
            client.send(said)
            assert client.read_to_end() in (b"", bytes([21, 3, 3, 0, 2, 2, 50]))
    with Client(gateway.tls) as client:
        client.send(b"\x16\x03\x01\x02\x00").half_close()
        assert client.is_closed()
    wait_for(lambda: metrics(gateway).of("clients_refused_total", cause="client_hello") == 3, "three are counted")
    assert "longer than 16384 bytes" in gateway.log()
    assert backend.accepted.empty()


def test_a_listener_without_a_usable_certificate_passes_nothing_through(edge, gateway, backend, certificate):
    edge(
        service("db", backend.port),
        stream_gateway("edge", tls("a.example.com", certificate="gone"), tls("b.example.com"), certificates=["gone"]),
    )
    with pytest.raises(ssl.SSLError, match="INTERNAL_ERROR"):
        secure(gateway.tls, "a.example.com")
    assert metrics(gateway).of("stream_connections_total", OBJECT, protocol="tls", outcome="unavailable") == 1
    assert backend.accepted.empty()


def test_one_protocol_that_a_client_offers_is_agreed_on_and_of_several_none(edge, gateway, echo, certificate):
    edge(
        service("echo", echo.port),
        secret("tls", certificate("a.example.com")),
        stream_gateway("edge", tls(service="echo", certificate="tls"), certificates=["tls"]),
    )
    for offered, agreed in ((["postgresql"], "postgresql"), (["h2", "http/1.1"], None), ([], None)):
        with secure(gateway.tls, "a.example.com", protocols=offered) as client:
            assert client.selected_alpn_protocol() == agreed
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"


# Members


def test_another_member_is_connected_to_where_one_is_down(edge, gateway, echo):
    gone = free_port()
    edge(service("db", gone, echo.port), stream_gateway("edge", tcp()))
    for _ in range(8):
        with Client(gateway.tcp) as client:
            assert client.send(b"hello").read(5) == b"hello"
    assert metrics(gateway).of("stream_connections_total", OBJECT, protocol="tcp", outcome="opened") == 8


def test_without_a_member_the_client_is_reset_and_counted(edge, gateway):
    edge(service("db", free_port()), stream_gateway("edge", tcp()))
    assert is_reset(gateway.tcp)
    assert metrics(gateway).of("stream_connections_total", OBJECT, protocol="tcp", outcome="backend_failed") == 1
    refused = gateway.entries("stream refused")[-1]
    assert refused["route"] == ROUTE and "can't connect" in refused["detail"]


def test_a_connection_is_a_probe(edge, gateway, echo):
    pools = [{"name": "stream-0", "backendAddresses": [{"ipAddress": "127.0.0.1"}]}]
    probes = [{"name": "tcp", "protocol": "Tcp", "interval": 1, "timeout": 1, "unhealthyThreshold": 1}]
    edge(stream_gateway("edge", tcp(port=echo.port, probe={"name": "tcp"}), backendAddressPools=pools, probes=probes))

    def health():
        (members,) = json.loads(gateway.admin_text("/debug/config"))["pools"].values()
        return members[0]["health"]

    wait_for(lambda: health() == "up", "a connection was made")
    with Client(gateway.tcp) as client:
        assert client.send(b"hello").read(5) == b"hello"
    echo.close()
    wait_for(lambda: health() == "down", "no connection can be made")
    assert is_reset(gateway.tcp)


# Sessions


def test_streams_are_listed_and_closed_as_sessions_are(edge, gateway, backend):
    edge(service("db", backend.port), stream_gateway("edge", tcp()))
    with Client(gateway.tcp) as client:
        server = backend.next()
        (session,) = wait_for(lambda: sessions(gateway), "the session")
        shown = {key: session[key] for key in ("object", "route", "protocol", "version", "host", "port", "path", "client")}
        assert shown == {
            "object": OBJECT, "route": ROUTE, "protocol": "tcp", "version": "", "host": ":5432", "port": 5432, "path": "",
            "client": "127.0.0.1",
        }  # fmt: skip
        admin = ["--admin", f"127.0.0.1:{gateway.admin}"]
        assert steadygate("sessions", "close", "--route", ROUTE, *admin).returncode == 0
        assert client.read_to_end() == b"" and server.read_to_end() == b""
    wait_for(lambda: not sessions(gateway), "the session has ended")
    assert closed(gateway, "command")["protocol"] == "tcp"
    assert metrics(gateway).of("stream_sessions_ended_total", OBJECT, protocol="tcp", cause="command") == 1


def test_changes_that_are_not_about_a_stream_leave_it_alone_and_the_end_of_its_rule_ends_it(edge, gateway, echo):
    base = service("db", echo.port)
    other = application_gateway("other", echo.port)
    edge(base, stream_gateway("edge", tcp(timeout=60)))
    with Client(gateway.tcp) as client:
        changes = (
            [base, stream_gateway("edge", tcp(timeout=90)), other],
            [base, stream_gateway("edge", tcp(timeout=90), tls("new.example.com"))],
            [base, service("more", echo.port), stream_gateway("edge", tcp(service="more"))],
            # A rule that is broken keeps its streams.
            [base, stream_gateway("edge", tcp(service="gone"))],
        )
        for change in changes:
            gateway.apply("site.json", *change)
            assert client.send(b"hello").read(5) == b"hello"
        assert is_reset(gateway.tcp)
        removed = gateway.manifests.parent / "removed"
        removed.mkdir()
        (removed / "site.yaml").write_text(documents(base))
        told = steadygate("diff", "--manifests", removed, "--admin", f"127.0.0.1:{gateway.admin}").stdout
        assert "1 of 1 open would be closed" in told and "route_removed" in told
        gateway.apply("site.json", base)
        assert client.send(b"still").read(5) == b"still"
        client.sock.settimeout(20)
        assert client.read_to_end() == b""
    closed(gateway, "route_removed")


def test_a_silent_stream_is_closed_after_its_timeout_and_one_that_speaks_is_not(edge, gateway, echo):
    edge(service("db", echo.port), stream_gateway("edge", tcp(timeout=1)))
    with Client(gateway.tcp) as silent, Client(gateway.tcp) as speaking:
        for _ in range(5):
            # Shorter than the timeout, and longer than it together.
            time.sleep(0.4)
            assert speaking.send(b"hello").read(5) == b"hello"
        assert silent.read_to_end() == b""
    assert metrics(gateway).of("stream_sessions_ended_total", OBJECT, protocol="tcp", cause="idle") == 1


def test_limits_of_sessions_and_connections_hold_for_streams(edge, gateway, echo):
    edge(
        service("db", echo.port),
        stream_gateway("edge", tcp(sessions={"maxSessions": 1}), {"port": 8443, "service": "db"}),
        arguments=["--max-connections-per-address", "2"],
    )
    with Client(gateway.tcp) as first:
        assert first.send(b"hello").read(5) == b"hello"
        assert is_reset(gateway.tcp)
        wait_for(lambda: metrics(gateway).of("client_connections") == 1, "the second has gone")
        with Client(gateway.tls) as second:
            assert second.send(b"hello").read(5) == b"hello"
            with Client(gateway.tls) as third:
                assert third.is_closed()
        assert first.send(b"hello").read(5) == b"hello"
    counted = metrics(gateway)
    assert counted.of("stream_connections_total", OBJECT, protocol="tcp", outcome="route_limit") >= 1


def test_a_load_balancer_names_the_client_of_a_stream(edge, gateway, backend):
    options = ["--trusted-proxy", "127.0.0.0/8", "--proxy-protocol", "5432"]
    edge(service("db", backend.port), stream_gateway("edge", tcp()), arguments=options)
    header = b"PROXY TCP4 203.0.113.7 192.0.2.1 12345 5432\r\n"
    with Client(gateway.tcp, before=header + b"hello") as client:
        server = backend.next()
        assert server.read(5) == b"hello"
        assert sessions(gateway)[0]["client"] == "203.0.113.7"
        server.send(b"hello")
        assert client.read(5) == b"hello"
    with Client(gateway.tcp, before=b"no header\r\n") as client:
        assert client.is_closed()
    assert metrics(gateway).of("clients_refused_total", cause="proxy_header") == 1


def test_streams_end_in_order_when_the_gateway_drains(edge, gateway, backend, certificate):
    edge(
        service("db", backend.port),
        secret("tls", certificate("a.example.com")),
        stream_gateway("edge", tcp(), tls("a.example.com", certificate="tls"), certificates=["tls"]),
        arguments=["--drain-timeout", "4"],
    )
    with Client(gateway.tcp) as client, secure(gateway.tls, "a.example.com") as encrypted:
        servers = [backend.next(), backend.next()]
        gateway.terminate()
        assert client.read_to_end() == b""
        # The end of the stream within TLS, not its truncation.
        assert encrypted.recv(1) == b""
        assert [server.read_to_end() for server in servers] == [b"", b""]
    assert gateway.exit_code() == 0


def test_explain_tells_where_a_connection_goes(edge, gateway, echo, certificate):
    edge(
        service("db", echo.port),
        secret("tls", certificate("a.example.com")),
        stream_gateway(
            "edge", tcp(timeout=60), tls("a.example.com", certificate="tls"), tls("b.example.com"), certificates=["tls"]
        ),
    )

    def explain(url):
        ran = steadygate("explain", "--manifests", gateway.manifests, url)
        return ran.returncode, ran.stdout

    code, told = explain("tcp://gateway:5432")
    assert code == 0 and f"member     127.0.0.1:{echo.port}" in told and "stream of tcp, idle timeout 60s" in told, told
    code, told = explain("tls://a.example.com:8443")
    assert code == 0 and "certificate of Secret default/tls" in told and 'server name "a.example.com"' in told, told
    code, told = explain("tls://b.example.com:8443")
    assert code == 0 and "TLS is passed through" in told, told
    code, told = explain("tls://c.example.com:8443")
    assert code == 1 and "the connection is refused" in told, told
