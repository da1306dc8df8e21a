"""What operators see: readiness, the log, and what signals do."""

import json
import resource
import socket
from collections import Counter

import pytest
from websockets.sync.client import connect

from curl import curl
from gateway import wait_for
from manifests import ingress, service
from wire import ACCEPTED, HANDSHAKE, Client


def readiness(gateway):
    """Status and text of /readyz."""
    with Client(gateway.admin) as client:
        answer = client.ask(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return answer.status, answer.body.decode()


def test_not_ready_while_a_port_is_another_programs(gateway, http_backend):
    gateway.write("site.json", service("one", http_backend().port), ingress("one", {"/": "one"}))
    with socket.create_server(("127.0.0.1", gateway.http)):
        gateway.launch()
        wait_for(lambda: "can't be opened" in gateway.log(), "the log says so")
        status, why = readiness(gateway)
        assert status == 503
        for word in ("port 80", f"127.0.0.1:{gateway.http}", "in use"):
            assert word in why
        assert gateway.admin_status("/livez") == 200
    wait_for(lambda: readiness(gateway)[0] == 200, "ready once the port is free")
    assert gateway.admin_status("/livez") == 200
    assert curl(gateway.url("/x")).status == 200


def test_a_port_that_is_wanted_later_does_not_stop_the_others(gateway, http_backend):
    """A port that can't be bound does not take a serving gateway out of service; it is reported, and tried again."""
    gateway.serve(service("one", http_backend().port))
    with socket.create_server(("127.0.0.1", gateway.http)):
        gateway.apply("route.json", ingress("one", {"/": "one"}))
        unopened = lambda: json.loads(gateway.admin_text("/debug/config"))["unopened"]
        assert "in use" in wait_for(unopened, "it is told which is not open")["80"]
        assert "steadygate_listeners_unopened 1" in gateway.admin_text("/metrics")
        assert readiness(gateway)[0] == 200
    wait_for(lambda: not unopened(), "it is open once it is free")
    assert curl(gateway.url("/x")).status == 200


def test_alive_but_not_ready_while_draining(gateway, scripted):
    with ignored_session(gateway, scripted):
        gateway.terminate()
        status, why = wait_for(lambda: (now := readiness(gateway))[0] == 503 and now, "not ready any more")
        assert "draining" in why
        assert gateway.admin_status("/livez") == 200


def ignored_session(gateway, scripted, *arguments):
    """A session whose two ends do not answer a Close."""
    backend = scripted(lambda exchange: (exchange.send(ACCEPTED), exchange.read_to_end()))
    gateway.serve(service("chat", backend.port), ingress("chat", {"/chat": "chat"}), arguments=arguments)
    client = Client(gateway.http)
    assert client.ask(HANDSHAKE).status == 101
    return client


def test_a_second_signal_ends_it_at_once(gateway, scripted):
    with ignored_session(gateway, scripted, "--drain-timeout", "30") as client:
        gateway.terminate()
        assert client.read(1) == b"\x88", "a Close frame, which nobody answers"
        assert gateway.process.poll() is None
        gateway.terminate()
        assert gateway.exit_code(timeout=10) == 1


@pytest.fixture
def records(gateway):
    """`records()`: what the access log tells so far, as objects. Every line of the whole log must be one."""

    def read():
        *lines, rest = gateway.log().split("\n")
        entries = [json.loads(line) for line in lines]
        assert all(isinstance(entry, dict) for entry in entries)
        return [entry for entry in entries if entry["target"] == "access"]

    return read


def test_the_log_as_json(gateway, http_backend, websocket_server, records):
    page, echo = http_backend("page"), websocket_server("python")
    gateway.serve(
        service("page", page.port),
        service("echo", echo.port),
        ingress("page", {"/": "page"}, host="localhost"),
        ingress("echo", {"/chat": "echo"}, host="localhost"),
        arguments=["--log-format", "json"],
    )
    asked = [("/bytes/1234", 200), ("/status/418", 418), ("/odd\"path\\é", 200), ("/", 404)]
    for count, (path, status) in enumerate(asked, 1):
        host = ["-H", "Host: nobody.example"] if status == 404 else []
        assert curl(gateway.url(path), *host).status == status
        wait_for(lambda: len(records()) == count, "the request is written down")
    with connect(gateway.url("/chat", "ws"), compression=None, proxy=None) as session:
        session.send("hello")
        assert session.recv(5) == "hello"
        wait_for(lambda: len(records()) > 4, "the session is written down")
        assert [record["message"] for record in records()[4:]] == ["session opened"]
    gateway.write("broken.json", "apiVersion: v1\nkind: [unclosed\n")
    wait_for(lambda: "broken.json" in gateway.log(), "the broken file is named")
    wait_for(lambda: len(records()) >= 6, "how the session ended is written down")
    gateway.terminate()
    assert gateway.exit_code() == 0

    assert Counter(record["message"] for record in records()) == {
        "request": 4, "session opened": 1, "session closed": 1
    }  # fmt: skip
    sized, teapot, odd, nobody, opened, session = records()
    whose = {"object": "Ingress default/echo", "member": f"127.0.0.1:{echo.port}", "session": 1, "path": "/chat"}
    routed = {"object": "Ingress default/page", "member": f"127.0.0.1:{page.port}", "host": "localhost"}
    for record, expected in [
        (sized, routed | {"status": 200, "sent": 1234, "path": "/bytes/1234", "method": "GET", "client": "127.0.0.1"}),
        (teapot, routed | {"status": 418, "sent": 0}),
        (odd, routed | {"status": 200}),
        (nobody, {"status": 404, "object": "", "pool": "", "member": ""}),
        (opened, whose | {"client": "127.0.0.1", "version": "HTTP/1.1", "request_id": session["request_id"]}),
        (session, whose | {"cause": "client", "initiator": "client", "code": 1000, "messages_up": 1, "messages_down": 1}),
    ]:
        assert record | expected == record
    assert "page" in sized["pool"]
    assert sized["route"].startswith("Ingress default/page ") and sized["field"].startswith("spec.rules[0].")
    assert nobody["route"] == nobody["field"] == ""
    assert "echo" in session["pool"] and opened["session"] == session["session"]
    # "hello" and a Close with its code, up masked
    assert session["bytes_up"] == 6 + 5 + 6 + 2
    assert session["bytes_down"] == 2 + 5 + 2 + 2


def test_a_client_that_leaves_is_written_down_once(gateway, http_backend, records):
    page = http_backend()
    arguments = ["--log-format", "json"]
    gateway.serve(service("page", page.port), ingress("page", {"/": "page"}), arguments=arguments)
    with Client(gateway.http) as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert page.reached.wait(5)
    wait_for(records, "the request is written down")
    page.release.set()
    assert curl(gateway.url("/x")).status == 200
    gateway.terminate()
    assert gateway.exit_code() == 0
    assert [record["status"] for record in records()] == [499, 200]


def test_no_access_log(gateway, http_backend, records):
    arguments = ["--log-format", "json", "--no-access-log"]
    gateway.serve(service("page", http_backend().port), ingress("page", {"/": "page"}), arguments=arguments)
    assert curl(gateway.url("/x")).status == 200
    gateway.terminate()
    assert gateway.exit_code() == 0
    assert records() == []


def test_it_takes_as_many_file_descriptors_as_it_may(gateway):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        gateway.launch()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_for(lambda: "started" in gateway.log(), "it has started")
    assert resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
