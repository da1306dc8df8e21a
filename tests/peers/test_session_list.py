"""Live sessions are listed and closed: by the admin port and by `steadygate sessions`."""

import http.client
import json
import os
import re
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gateway import BINARY, free_port, steadygate, wait_for
from manifests import ingress, service


def ask(gateway, path, body=None, address="127.0.0.1", headers=None, raw=None):
    """Status and text of what the admin port answers."""
    connection = http.client.HTTPConnection(address, gateway.admin, timeout=5)
    content = raw if raw is not None else json.dumps(body) if body is not None else None
    given = {"Content-Type": "application/json"} if content is not None and headers is None else headers or {}
    connection.request("GET" if content is None else "POST", path, content, given)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def listed(gateway, query=""):
    status, text = ask(gateway, f"/sessions?{query}")
    assert status == 200, text
    return json.loads(text)["sessions"]


def ids(gateway, query=""):
    return [session["id"] for session in listed(gateway, query)]


def cli(gateway, *arguments):
    return steadygate("sessions", *arguments, "--admin", f"127.0.0.1:{gateway.admin}")


def close_of(session):
    """Code and reason of the Close frame that ends a session of the Python library."""
    with pytest.raises(ConnectionClosed):
        session.recv(5)
    return session.protocol.close_rcvd.code, session.protocol.close_rcvd.reason


def named(objects, pod, service_name):
    """The Service, with a pod of this name as its first backend."""
    for entry in objects:
        if entry["kind"] == "EndpointSlice":
            entry["endpoints"][0]["targetRef"] = {"kind": "Pod", "namespace": "default", "name": pod}
    assert objects[0]["metadata"]["name"] == service_name
    return objects


@pytest.fixture
def site(gateway, websocket_server):
    """Two routes: `/one` to the pod one-0, `/two` to one without a name. Gives their backends."""
    backends = one, two = websocket_server("python"), websocket_server("python")
    gateway.serve(
        named(service("one", one.port), "one-0", "one"),
        service("two", two.port),
        ingress("one", {"/one": "one"}),
        ingress("two", {"/two": "two"}, host="localhost"),
    )
    return backends


@contextmanager
def opened(gateway, *paths, **named):
    with ExitStack() as stack:
        yield [
            stack.enter_context(connect(gateway.url(path, "ws"), proxy=None, compression=None, **named))
            for path in paths
        ]


def test_a_session_is_listed_with_everything_that_was_counted(gateway, site):
    before = datetime.now(timezone.utc).timestamp()
    with opened(gateway, "/one/room?token=secret", user_agent_header="test/1", subprotocols=["chat"]) as [session]:
        for _ in range(3):
            session.send("hello")
            session.recv(5)
        for _ in range(2):
            session.send(b"12345678")
            session.recv(5)
        session.send(iter(["in ", "parts"]))
        session.recv(5)
        session.ping("?").wait(5)
        # The gateway has counted the answer when it has handed it over, and the client may be faster than its next look.
        entry = listed(gateway)[0]
        up = {"text": 3, "binary": 2, "fragmented": 1, "pings": 1, "pongs": 0, "close": None}
        down = {"text": 4, "binary": 2, "fragmented": 0, "pings": 0, "pongs": 1, "close": None}
        assert entry["up"] | up == entry["up"] and entry["down"] | down == entry["down"]
        assert entry["down"]["bytes"] == 3 * 7 + 2 * 10 + 10 + 3
        expected = {
            "id": 1,
            "object": "Ingress default/one",
            "field": "spec.rules[0].http.paths[0]",
            "route": "Ingress default/one * /one",
            "pool": "default/one:http (Ingress default/one)",
            "member": f"127.0.0.1:{site[0].port}",
            "pod": "Pod default/one-0",
            "client": "127.0.0.1",
            "port": 80,
            "host": "localhost",
            "path": "/one/room",
            "version": "HTTP/1.1",
            "user_agent": "test/1",
            "protocol": "websocket",
            "subprotocol": "chat",
            "state": "open",
        }
        assert entry | expected == entry
        assert "secret" not in json.dumps(entry)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["opened"])
        assert abs(datetime.fromisoformat(entry["opened"]).timestamp() - before) < 3
        assert entry["request_id"]
        time.sleep(0.5)
        later = listed(gateway)[0]
        assert later["age_seconds"] >= later["silence_seconds"] >= 0.5
        since = time.monotonic()
        session.send("again")
        session.recv(5)
        silence = listed(gateway)[0]["silence_seconds"]
        assert silence < time.monotonic() - since + 0.1
    wait_for(lambda: not listed(gateway), "a session that has ended is not listed")


def test_each_filter_chooses(gateway, site):
    with opened(gateway, "/one", "/two", "/two"):
        assert ids(gateway) == [1, 2, 3]
        for query, expected in [
            ("object=default/one", [1]),
            ("object=Ingress+default/two", [2, 3]),
            ("route=Ingress%20default/two%20localhost%20/two", [2, 3]),
            ("pool=default/one", [1]),
            ("pool=default/two:http", [2, 3]),
            ("pool=default/tw", []),
            ("pod=default/one-0", [1]),
            ("pod=127.0.0.1", [1, 2, 3]),
            ("pod=127.0.0.2", []),
            ("client=127.0.0.0/8", [1, 2, 3]),
            ("client=10.0.0.0/8", []),
            ("id=3", [3]),
            ("id=3&object=default/one", []),
        ]:
            assert ids(gateway, query) == expected, query
        for query in ("client=web", "id=x", "pod=chat", "nonsense=1", "object=", "route="):
            status, why = ask(gateway, f"/sessions?{query}")
            assert status == 400 and query.split("=")[0] in why and ":" in why, why


@pytest.mark.parametrize(
    "filter", [{"id": 1}, {"object": "default/one"}, {"pod": "default/one-0"}, {"pool": "default/one"}], ids=str
)
def test_both_peers_receive_code_and_reason_and_nobody_else_does(gateway, site, filter):
    with opened(gateway, "/one", "/two") as [session, other]:
        status, text = ask(gateway, "/sessions/close", filter | {"code": 4001, "reason": "moved: näher"})
        assert (status, json.loads(text)) == (200, {"closing": 1})
        assert close_of(session) == (4001, "moved: näher")
        wait_for(lambda: site[0].closed == [4001, "moved: näher"], "the backend is told the same")
        wait_for(lambda: ids(gateway) == [2], "it is not listed any more")
        other.send("still here")
        assert other.recv(5) == "still here"
    wait_for(lambda: "asked for at the admin port" in gateway.log(), "it is logged")


def test_a_client_is_closed_by_its_address(gateway, site):
    with opened(gateway, "/one") as [session]:
        assert json.loads(ask(gateway, "/sessions/close", {"client": "10.0.0.0/8"})[1]) == {"closing": 0}
        assert json.loads(ask(gateway, "/sessions/close", {"client": "127.0.0.1"})[1]) == {"closing": 1}
        assert close_of(session) == (1001, "closed by the operator")


def test_closings_are_spread_and_reported_meanwhile(gateway, site):
    with opened(gateway, *["/one"] * 4) as sessions:
        began = time.monotonic()
        assert json.loads(ask(gateway, "/sessions/close", {"all": True, "over_seconds": 8})[1]) == {"closing": 4}
        close_of(sessions[0])
        assert time.monotonic() - began < 1.8
        states = listed(gateway)
        assert [entry["state"] for entry in states[-3:]] == ["closing"] * 3
        last = states[-1]["closing"]
        assert (last["why"], last["code"], last["reason"]) == ("command", 1001, "closed by the operator")
        ahead = datetime.fromisoformat(last["at"]).timestamp() - time.time()
        assert 0 < ahead < 8
        for number, session in enumerate(sessions[1:], 1):
            close_of(session)
            assert 2 * number - 0.2 < time.monotonic() - began < 2 * number + 1.8


def test_what_can_not_be_done_is_refused_and_nothing_is_closed(gateway, site):
    with opened(gateway, "/one") as [session]:
        for body, status, word in [
            ({}, 400, "all"),
            ({"rout": "default/one"}, 400, "rout"),
            ({"all": True, "code": 1005}, 400, "1005"),
            ({"all": True, "reason": "x" * 124}, 400, "124"),
            ({"all": True, "reason": "x" * 70_000}, 413, "65536"),
        ]:
            answer = ask(gateway, "/sessions/close", body)
            assert answer[0] == status and word in answer[1], answer
        everything = json.dumps({"all": True})
        for headers, status in [
            ({"Content-Type": "text/plain"}, 415),
            ({}, 415),
            ({"Content-Type": "application/json", "Host": "evil.example"}, 403),
        ]:
            assert ask(gateway, "/sessions/close", headers=headers, raw=everything)[0] == status
        assert ask(gateway, "/sessions", headers={"Host": "evil.example"})[0] == 403
        assert ask(gateway, "/sessions/close")[0] == 405
        assert ask(gateway, "/livez", headers={"Host": "evil.example"})[0] == 200
        session.send("still here")
        assert session.recv(5) == "still here"


def own_address():
    """An address of this machine that is no loopback's, if there is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


def test_who_comes_from_elsewhere_sees_no_session_and_closes_none(gateway, websocket_server):
    address = own_address()
    if not address:
        pytest.skip("this machine has no address but its loopback's")
    backend = websocket_server("python")
    gateway.write("site.json", service("one", backend.port), ingress("one", {"/one": "one"}))
    gateway.start(admin="0.0.0.0")
    with opened(gateway, "/one") as [session]:
        for path, body in [("/sessions", None), ("/sessions/close", {"all": True})]:
            status, why = ask(gateway, path, body, address=address)
            assert status == 403 and "loopback" in why and "steadygate sessions" in why and address in why
        for path in ("/livez", "/readyz", "/metrics", "/debug/config"):
            assert ask(gateway, path, address=address)[0] == 200
        assert ids(gateway) == [1]
        session.send("still here")
        assert session.recv(5) == "still here"


def test_the_command_lists_and_closes(gateway, site):
    nothing = cli(gateway)
    assert (nothing.returncode, nothing.stdout) == (1, "")
    with opened(gateway, "/one", "/two") as [session, _]:
        session.send("hello")
        session.recv(5)
        run = cli(gateway)
        assert run.returncode == 0, run.stderr
        head, first, second = run.stdout.splitlines()
        columns = ["ID", "AGE", "IDLE", "CLIENT", "PROTOCOL", "OBJECT", "MEMBER", "UP/DOWN", "BYTES", "STATE"]
        assert head.split() == columns
        assert first.split()[0] == "1" and "1/1" in first and "Ingress default/one" in first
        assert second.index("127.0.0.1") == head.index("CLIENT") == first.index("127.0.0.1")
        assert len(cli(gateway, "list", "--object", "default/two").stdout.splitlines()) == 2
        assert json.loads(cli(gateway, "--json", "--id", "2").stdout)["sessions"][0]["id"] == 2

        refused = cli(gateway, "close")
        assert refused.returncode == 2 and "--all" in refused.stderr
        assert cli(gateway, "close", "--id", "1", "--code", "1006").returncode == 2
        assert cli(gateway, "close", "--id", "99").returncode == 1
        assert ids(gateway) == [1, 2]
        closed = cli(gateway, "close", "--client", "127.0.0.1", "--object", "default/one", "--code", "1012", "--reason", "x")
        assert closed.returncode == 0 and closed.stdout.startswith("1 session ")
        assert close_of(session) == (1012, "x")
        assert cli(gateway, "close", "--all", "--over", "1").stdout.startswith("1 session ")


def test_whoever_has_read_enough_may_close_the_pipe(gateway, site):
    with opened(gateway, "/one"):
        reader, writer = os.pipe()
        os.close(reader)
        command = [BINARY, "sessions", "--admin", f"127.0.0.1:{gateway.admin}"]
        run = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=20)
        os.close(writer)
        assert (run.returncode, run.stderr) == (0, "")


def test_without_a_gateway_the_command_says_where_it_looked():
    port = free_port()
    run = steadygate("sessions", "--admin", f"localhost:{port}")
    assert run.returncode == 2 and f"127.0.0.1:{port}" in run.stderr and "--admin" in run.stderr


def test_a_gateway_at_every_address_is_found(gateway, site):
    with opened(gateway, "/one"):
        run = steadygate("sessions", "--admin", f"0.0.0.0:{gateway.admin}")
        assert run.returncode == 0, run.stderr
