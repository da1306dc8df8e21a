"""`steadygate diff` says what a change would change and how many sessions it would close; and so it comes."""

import json
import shutil
import time
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gateway import documents, steadygate, wait_for
from manifests import application_gateway, external_service, ingress, secret, service


@pytest.fixture
def site(gateway, websocket_server):
    """The file of each name, as objects, served: two Services, and Ingresses that lead to them."""
    one, two = websocket_server("python"), websocket_server("python")
    files = {
        "one.json": [service("one", one.port), ingress("one", {"/one": "one"}, host="localhost")],
        "two.json": [service("two", two.port), ingress("two", {"/two": "two", "/too": "two"}, host="localhost")],
    }
    for name, groups in files.items():
        gateway.write(name, *groups)
    gateway.start()
    files["ports"] = (one.port, two.port)
    return files


class Change:
    """A change of the directory: predicted by `diff`, then made."""

    def __init__(self, gateway, directory):
        self.gateway, self.new = gateway, directory
        shutil.copytree(gateway.manifests, self.new)

    def write(self, name, *groups):
        (self.new / name).write_text(groups[0] if isinstance(groups[0], str) else documents(*groups))
        return self

    def remove(self, name):
        (self.new / name).unlink()
        return self

    def against_files(self, *arguments):
        return steadygate("diff", "--manifests", self.gateway.manifests, self.new, *arguments)

    def against_running(self, *arguments):
        return steadygate("diff", "--manifests", self.new, "--admin", f"127.0.0.1:{self.gateway.admin}", *arguments)

    def foretold(self):
        """What is said of it, by both ways of asking, which have to agree."""
        running = json.loads(self.against_running("--json").stdout)
        admin = ("--admin", f"127.0.0.1:{self.gateway.admin}")
        files = json.loads(self.against_files("--json", *admin).stdout)
        assert running["changes"] == files["changes"]
        assert running["sessions"]["by"] == files["sessions"]["by"]
        return running

    def make(self):
        """New and changed files are renamed into place, others are removed, all within the settling time."""
        before = self.gateway.generation()
        names = {path.name for path in self.new.iterdir()}
        for path in list(self.gateway.manifests.iterdir()):
            if path.name not in names:
                path.unlink()
        for name in names:
            if not (self.gateway.manifests / name).exists() or (
                (self.gateway.manifests / name).read_text() != (self.new / name).read_text()
            ):
                self.gateway.write(name, (self.new / name).read_text())
        wait_for(lambda: self.gateway.generation() > before, "the change is served")
        time.sleep(0.5)


@pytest.fixture
def change(gateway, site, tmp_path):
    return Change(gateway, tmp_path / "new")


def told(session):
    """The Close frame that a session was sent, if it was."""
    try:
        session.recv(0.05)
    except TimeoutError:
        return None
    except ConnectionClosed:
        return session.protocol.close_rcvd.code
    raise AssertionError("nobody sends anything")


def come_true(gateway, change, sessions):
    """Makes the change; gives how many sessions `diff` predicts to be closed, and how many are."""
    foretold = change.foretold()["sessions"]
    assert foretold["doubts"] == [] and foretold["open"] == len(sessions)
    change.make()
    expected = {number for group in foretold["by"] for number in group["sessions"]}
    closed = set()

    def come():
        # Sessions of a route that is removed are given a moment, in which it may come back.
        listed = json.loads(gateway.admin_text("/sessions"))["sessions"]
        closed.update(entry["id"] for entry in listed if entry["state"] == "closing")
        closed.update(number for number, session in enumerate(sessions, 1) if told(session) == 1001)
        return closed >= expected

    wait_for(come, f"{expected} are closed")
    assert closed == expected
    return foretold["closed"], len(closed)


@pytest.fixture
def sessions(gateway, site):
    """Sessions 1 to 3 by /one, 4 to 6 by /two, 7 by /too."""
    with ExitStack() as stack:
        paths = ["/one"] * 3 + ["/two"] * 3 + ["/too"]
        yield [
            stack.enter_context(connect(gateway.url(path, "ws"), proxy=None, compression=None, close_timeout=1))
            for path in paths
        ]


def test_an_unrelated_change_closes_nothing(gateway, site, change, sessions):
    change.write("other.json", service("other", 9), ingress("other", {"/other": "other"}, host="other.example"))
    foretold = change.foretold()
    added = {(part, entry["change"], entry["name"]) for part, entries in foretold["changes"].items() for entry in entries}
    assert added == {
        ("routes", "added", "80 Ingress default/other other.example /other"),
        ("pools", "added", "default/other:http (Ingress default/other)"),
        ("listeners", "changed", "80"),
    }
    assert come_true(gateway, change, sessions) == (0, 0)


def test_a_path_that_is_removed(gateway, site, change, sessions):
    change.write("two.json", service("two", site["ports"][1]), ingress("two", {"/too": "two"}, host="localhost"))
    run = change.against_running()
    assert run.returncode == 1
    assert "  - 80 Ingress default/two localhost /two\n" in run.stdout
    assert "sessions   3 of 7 open would be closed" in run.stdout
    assert come_true(gateway, change, sessions) == (3, 3)


def test_an_ingress_of_another_name_with_the_same_paths(gateway, site, change, sessions):
    paths = {"/two": "two", "/too": "two"}
    change.write("two.json", service("two", site["ports"][1]), ingress("renamed", paths, host="localhost"))
    assert change.against_running().returncode == 1
    assert come_true(gateway, change, sessions) == (0, 0)


def test_a_route_that_leads_elsewhere_closes_nothing(gateway, site, change, sessions):
    change.write("one.json", service("one", site["ports"][0]), ingress("one", {"/one": "two"}, host="localhost"))
    assert come_true(gateway, change, sessions) == (0, 0)


def test_another_ingress_that_takes_the_path_elsewhere(gateway, site, change, sessions):
    change.write("one.json", service("one", site["ports"][0]), ingress("mine", {"/one": "two"}, host="localhost"))
    assert come_true(gateway, change, sessions) == (3, 3)


def test_a_listener_that_is_removed(gateway, site, tmp_path, certificate, websocket_server):
    edge = application_gateway("edge", site["ports"][0], hosts=["edge.example"])
    edge[0]["spec"]["frontendPorts"][0]["port"] = 443
    gateway.apply("edge.json", edge)
    change = Change(gateway, tmp_path / "new").remove("edge.json")
    with ExitStack() as stack:
        at = lambda port, host: stack.enter_context(
            connect(f"ws://{host}/one", sock=dial(port), proxy=None, compression=None, close_timeout=1)
        )
        sessions = [at(gateway.https, "edge.example"), at(gateway.http, "localhost")]
        assert {"name": "443", "change": "removed"} in change.foretold()["changes"]["listeners"]
        assert come_true(gateway, change, sessions) == (1, 1)


def dial(port):
    import socket

    return socket.create_connection(("127.0.0.1", port), 5)


def terminating(objects, serving=True):
    for entry in objects:
        if entry["kind"] == "EndpointSlice":
            conditions = {"ready": False, "serving": serving, "terminating": True}
            entry["endpoints"][0]["conditions"] = conditions
    return objects


def test_a_member_that_is_going_away(gateway, site, change, sessions):
    objects = terminating(service("one", site["ports"][0]))
    change.write("one.json", objects, ingress("one", {"/one": "one"}, host="localhost"))
    foretold = change.foretold()
    assert [group["cause"] for group in foretold["sessions"]["by"]] == ["member_drain"]
    field = foretold["changes"]["pools"][0]["fields"][0]
    assert field == {"field": f"member 127.0.0.1:{site['ports'][0]}", "before": "ready", "after": "terminating"}
    assert come_true(gateway, change, sessions) == (3, 3)


@pytest.mark.parametrize("how", ["gone", "not ready"])
def test_a_member_that_vanishes_closes_nothing(gateway, site, change, sessions, how):
    ports = [site["ports"][0]] if how == "not ready" else []
    change.write("one.json", service("one", *ports, ready=False), ingress("one", {"/one": "one"}, host="localhost"))
    assert change.against_running().returncode == 1
    assert come_true(gateway, change, sessions) == (0, 0)


def test_a_session_that_only_its_member_holds_stays_while_no_table_is_published(gateway, site, sessions, tmp_path):
    """Its Ingress was renamed before: the member alone is its place, and goes without a word."""
    gateway.apply("one.json", service("one", site["ports"][0]), ingress("mine", {"/one": "one"}, host="localhost"))
    change = Change(gateway, tmp_path / "new")
    change.write("one.json", service("one"), ingress("mine", {"/one": "one"}, host="localhost"))
    assert come_true(gateway, change, sessions) == (0, 0)


def test_sessions_at_a_pod_that_no_route_leads_to_go_with_it(gateway, site, sessions, tmp_path):
    elsewhere = ingress("one", {"/one": "two"}, host="localhost")
    gateway.apply("one.json", service("one", site["ports"][0]), elsewhere)
    change = Change(gateway, tmp_path / "new")
    change.write("one.json", terminating(service("one", site["ports"][0])), elsewhere)
    assert [entry["change"] for entry in change.foretold()["changes"]["pools"]] == ["changed"]
    assert change.against_running().returncode == 1
    assert come_true(gateway, change, sessions) == (3, 3)


def test_backends_that_are_names_keep_what_is_known_of_them(gateway, site, sessions, tmp_path, websocket_server):
    external = external_service("named", "localhost", websocket_server("python").port)
    gateway.apply("named.json", external, ingress("named", {"/named": "named"}, host="localhost"))
    with ExitStack() as stack:
        session = stack.enter_context(connect(gateway.url("/named", "ws"), proxy=None, close_timeout=1))
        change = Change(gateway, tmp_path / "new")
        change.write("named.json", external, ingress("renamed", {"/named": "named"}, host="localhost"))
        assert come_true(gateway, change, [*sessions, session]) == (0, 0)


def test_a_session_that_is_closing_anyway_is_not_counted(gateway, site, sessions, change):
    run = steadygate("sessions", "close", "--object", "default/two", "--over", "60", "--admin", f"127.0.0.1:{gateway.admin}")
    assert run.returncode == 0, run.stderr
    wait_for(lambda: told(sessions[3]) == 1001, "the first of them goes at once")
    wait_for(lambda: len(json.loads(gateway.admin_text("/sessions"))["sessions"]) == 6, "it has gone")
    change.remove("two.json")
    foretold = change.foretold()["sessions"]
    assert (foretold["open"], foretold["already_closing"], foretold["closed"]) == (6, 3, 0)


def test_two_directories_without_a_gateway(gateway, site, change):
    assert change.against_files().returncode == 0
    change.write("two.json", service("two", site["ports"][1]), ingress("two", {"/too": "nobody"}, host="localhost"))
    run = change.against_files()
    assert run.returncode == 1
    assert f"80 Ingress default/two localhost /two at 127.0.0.1:{site['ports'][1]}: route_removed" in run.stdout
    assert "/too at" not in run.stdout, "the route is there, though it is broken"
    assert "ServiceNotFound" in run.stdout
    assert "default/one" not in run.stdout


def test_a_file_that_breaks_is_served_as_it_was(gateway, site, change, sessions):
    change.write("one.json", "apiVersion: v1\nkind: [unclosed\n")
    assert change.against_files().returncode == 0
    foretold = json.loads(change.against_running("--json").stdout)["sessions"]
    assert foretold["doubts"], "what the gateway that runs has of it is not known"


def test_certificates_are_compared_by_their_fingerprints(gateway, tmp_path, certificate, http_backend):
    one, other = certificate("localhost"), certificate("localhost", "other.example")
    gateway.serve(
        service("page", http_backend().port), ingress("page", {"/": "page"}, secret="tls"), secret("tls", one)
    )
    change = Change(gateway, tmp_path / "new")
    assert change.against_running().returncode == 0, change.against_running().stdout
    text = (gateway.manifests / "site.json").read_text()
    swap = lambda what: json.dumps(getattr(one, what)), lambda what: json.dumps(getattr(other, what))
    for what in ("crt", "key"):
        text = text.replace(swap[0](what), swap[1](what))
    change.write("site.json", text)
    found = change.foretold()["changes"]
    assert [(entry["name"], entry["change"]) for entry in found["certificates"]] == [("default/tls", "changed")]
    assert "PRIVATE" not in json.dumps(found)


def test_trouble_is_reported(gateway, site, change, tmp_path):
    alone = steadygate("diff", "--manifests", gateway.manifests)
    assert alone.returncode == 2 and "--admin" in alone.stderr
    missing = steadygate("diff", "--manifests", gateway.manifests, tmp_path / "missing")
    assert missing.returncode == 2 and "missing" in missing.stderr
