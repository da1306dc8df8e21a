"""Why a session ended: what both peers receive, the log and the metrics agree."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from gateway import wait_for
from manifests import ingress, service
from metrics import Metrics
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
    silent: object = None
    annotations: dict = field(default_factory=dict)

    def objects(self, *ports, **named):
        return [*service("chat", *ports, **named), *self.route("/")]

    def route(self, path):
        return ingress("chat", {path: "chat"}, annotations=PROBED | self.annotations)

    def say(self, *payloads, **named):
        for payload in payloads:
            self.crowd.send([self.client], payload, **named)

    # What is done before

    def nothing(self):
        pass

    def keep_the_process(self):
        """A session that answers nothing delays the end of a drain: until then the metrics can be read."""
        silent = Client(self.gateway.http)
        assert silent.ask(HANDSHAKE).status == 101
        self.silent = silent

    # What ends a session

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


@dataclass
class End:
    """How a session ends, and what is reported of it."""

    cause: str
    #: Who closed first.
    initiator: str
    #: Status and reason of the Close; None: there is none, or it has none.
    code: int | None
    reason: str | None
    #: What ends the session: a method of Scene.
    act: Callable
    #: Who receives a Close with that status and reason.
    told: tuple = ()
    #: The status as a label of metrics.
    counted_as: str = "none"
    #: Settings of the route's sessions.
    settings: dict = field(default_factory=dict)
    #: What is done first: a method of Scene.
    before: Callable = Scene.nothing
    #: Seconds until the token ends that admits the session. None: the route asks for none.
    token_seconds: int | None = None


def by_gateway(cause, code, reason, act, settings=None, **more):
    """The gateway closes, and both peers receive why."""
    both = ("client", "backend")
    return End(cause, "gateway", code, reason, act, told=both, counted_as=str(code), settings=settings or {}, **more)


PINGS = {"ping-interval": 1, "ping-timeout": 2}
ENDS = [
    End("client", "client", 1000, "", Scene.client_closes, counted_as="1000"),
    End("client", "client", None, "", Scene.client_leaves),
    End("backend", "backend", 4000, "bye", Scene.backend_closes, told=("client",), counted_as="4xxx"),
    End("error", "error", None, None, Scene.backend_resets),
    by_gateway("drain", 1001, "going away", Scene.sigterm, before=Scene.keep_the_process),
    by_gateway("member_drain", 1001, "backend going away", Scene.pod_goes),
    by_gateway("route_removed", 1001, "route removed", Scene.no_route),
    by_gateway("unhealthy", 1012, "backend unhealthy", Scene.backend_is_sick, {"unhealthy-grace": 0}),
    by_gateway("max_age", 1012, "maximum age", Scene.nothing, {"max-age": 3}),
    by_gateway("token_expired", 1008, "token expired", Scene.nothing, token_seconds=3),
    by_gateway("rebalance", 1012, "rebalancing", Scene.another_member, {"rebalance": 600}),
    by_gateway("idle", 1001, "idle timeout", Scene.nothing, {"idle-timeout": 2}),
    by_gateway("client_gone", 1001, "no answer to ping", Scene.client_is_deaf, PINGS),
    by_gateway("backend_gone", 1001, "backend does not answer", Scene.backend_is_deaf, PINGS),
    by_gateway("message_size", 1009, "message too big", Scene.large_message, {"max-message-size": 100}),
    by_gateway("message_rate", 1008, "too many messages", Scene.many_messages, {"message-rate": 2}),
]


@pytest.mark.parametrize("row", ENDS, ids=[f"{row.act.__name__}-{row.cause}" for row in ENDS])
def test_peers_log_and_metrics_agree(gateway, crowd, crowd_backend, issuer, row):
    annotations = {f"steadygate.io/websocket-{name}": str(value) for name, value in row.settings.items()}
    token = {}
    if row.token_seconds:
        annotations |= issuer.annotations(clock_skew="0")
        token = {"Authorization": f"Bearer {issuer.token(exp=int(time.time()) + row.token_seconds)}"}
    scene = Scene(gateway, crowd, crowd_backend(), crowd_backend(), annotations=annotations)
    gateway.serve(*scene.objects(scene.backend.port), arguments=["--log-format", "json", "--drain-timeout", "5"])
    (scene.client,) = crowd.open(gateway.http, **token)
    assert crowd.echo([scene.client]) == 1
    row.before(scene)
    row.act(scene)

    def entry():
        return next((entry for entry in gateway.entries("session closed") if entry["cause"] == row.cause), None)

    logged = wait_for(entry, "it ends for that cause")
    assert (logged["initiator"], logged.get("code")) == (row.initiator, row.code)
    if "backend" in row.told:
        assert logged["detail"] == row.reason
        wait_for(lambda: f"{row.code} {row.reason}" in scene.backend.seen()["close"], "the backend receives the Close")
    wait_for(lambda: scene.client.end, "the client sees the end")
    if "client" in row.told:
        assert (scene.client.close, scene.client.reason, scene.client.end) == (row.code, row.reason, "end")

    def counted():
        # At the end of a drain nobody answers any more.
        with suppress(OSError):
            metrics = Metrics(gateway.admin_text("/metrics"))
            return metrics.of("websocket_sessions_ended_total", object=ROUTE, cause=row.cause) and metrics

    metrics = wait_for(counted, "it is counted")
    assert metrics.of("websocket_closes_total", object=ROUTE, initiator=row.initiator, code=row.counted_as) >= 1
    assert set(metrics.naming(row.cause)) >= {"websocket_sessions_ended_total"}
