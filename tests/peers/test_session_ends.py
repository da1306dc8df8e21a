"""Why a session ended: what both peers are told, the log and the metrics are of one mind."""

from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from gateway import wait_for
from manifests import ingress, service
from test_metrics import Metrics
from test_session_settings import PROBED
from wire import HANDSHAKE, Client

ROUTE = "Ingress default/chat"


@dataclass
class Scene:
    """A gateway, an open session and its backend."""

    gateway: object
    crowd: object
    backend: object
    other: object
    client: object = None
    annotations: dict = field(default_factory=dict)

    def objects(self, *ports, **named):
        return [*service("chat", *ports, **named), *self.route("/")]

    def route(self, path):
        return ingress("chat", {path: "chat"}, annotations=PROBED | self.annotations)

    def say(self, *payloads, **named):
        for payload in payloads:
            self.crowd.send([self.client], payload, **named)

    # What ends a session

    def nothing(self):
        pass

    def client_closes(self):
        self.say(b"\x03\xe8", opcode=0x8)

    def client_leaves(self):
        self.crowd.loop.call_soon_threadsafe(self.client.transport.write_eof)

    def backend_closes(self):
        self.say(b"close 4000 bye")

    def backend_resets(self):
        self.say(b"reset")

    def client_is_deaf(self):
        self.client.deaf = True

    def backend_is_deaf(self):
        self.say(b"deaf")

    def backend_is_sick(self):
        self.backend.fail()

    def large_message(self):
        self.say(b"x" * 200)

    def many_messages(self):
        self.say(*[b"x"] * 12)

    def no_route(self):
        self.gateway.write("site.json", *service("chat", self.backend.port), *self.route("/elsewhere"))

    def pod_goes(self):
        objects = self.objects(self.backend.port)
        objects[1]["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
        self.gateway.write("site.json", *objects)

    def another_member(self):
        self.crowd.open(self.gateway.http, 9)
        self.gateway.write("site.json", *self.objects(self.backend.port, self.other.port))

    def sigterm(self):
        self.gateway.terminate()


#: Cause, who closed first, status, reason; the route's settings; what ends the session.
ENDS = [
    ("client", "client", 1000, "", {}, Scene.client_closes),
    ("client", "client", None, "", {}, Scene.client_leaves),
    ("backend", "backend", 4000, "bye", {}, Scene.backend_closes),
    ("error", "error", None, None, {}, Scene.backend_resets),
    ("drain", "gateway", 1001, "going away", {}, Scene.sigterm),
    ("member_drain", "gateway", 1001, "backend going away", {}, Scene.pod_goes),
    ("route_removed", "gateway", 1001, "route removed", {}, Scene.no_route),
    ("unhealthy", "gateway", 1012, "backend unhealthy", {"unhealthy-grace": 0}, Scene.backend_is_sick),
    ("max_age", "gateway", 1012, "maximum age", {"max-age": 3}, Scene.nothing),
    ("rebalance", "gateway", 1012, "rebalancing", {"rebalance": 600}, Scene.another_member),
    ("idle", "gateway", 1001, "idle timeout", {"idle-timeout": 2}, Scene.nothing),
    ("client_gone", "gateway", 1001, "no answer to ping", {"ping-interval": 1, "ping-timeout": 2}, Scene.client_is_deaf),
    (
        "backend_gone", "gateway", 1001, "backend does not answer",
        {"ping-interval": 1, "ping-timeout": 2}, Scene.backend_is_deaf,
    ),
    ("message_size", "gateway", 1009, "message too big", {"max-message-size": 100}, Scene.large_message),
    ("message_rate", "gateway", 1008, "too many messages", {"message-rate": 2}, Scene.many_messages),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "initiator", "code", "reason", "settings", "end"), ENDS, ids=[end[-1].__name__ + "-" + end[0] for end in ENDS]
)
def test_all_say_the_same(gateway, crowd, crowd_backend, cause, initiator, code, reason, settings, end):
    annotations = {f"steadygate.io/websocket-{name}": str(value) for name, value in settings.items()}
    scene = Scene(gateway, crowd, crowd_backend(), crowd_backend(), annotations=annotations)
    gateway.serve(*scene.objects(scene.backend.port), arguments=["--log-format", "json", "--drain-timeout", "5"])
    (scene.client,) = crowd.open(gateway.http)
    assert crowd.echo([scene.client]) == 1
    metrics = []
    if end is Scene.sigterm:
        # One that does not answer keeps the process for a while, and its metrics.
        silent = Client(gateway.http)
        assert silent.ask(HANDSHAKE).status == 101
    end(scene)

    def entry():
        return next((entry for entry in gateway.entries("session closed") if entry["cause"] == cause), None)

    logged = wait_for(entry, "it ends for that cause")
    assert (logged["initiator"], logged.get("code")) == (initiator, code)
    if initiator == "gateway":
        assert logged["detail"] == reason
        wait_for(lambda: f"{code} {reason}" in scene.backend.seen()["close"], "the backend is told")
    wait_for(lambda: scene.client.end, "the client knows of the end")
    if code and cause != "client":
        assert (scene.client.close, scene.client.reason, scene.client.end) == (code, reason, "end")

    def counted():
        with suppress(OSError):
            metrics[:] = [Metrics(gateway.admin_text("/metrics"))]
            return metrics[0].of("websocket_sessions_ended_total", route=ROUTE, cause=cause)

    wait_for(counted, "it is counted")
    kind = "none" if code is None else "4xxx" if code == 4000 else str(code)
    assert metrics[0].of("websocket_closes_total", route=ROUTE, initiator=initiator, code=kind) >= 1
    assert set(metrics[0].naming(cause)) >= {"websocket_sessions_ended_total"}
