"""Tokens (JWT): who is let through, what backends and clients are told, and when sessions end."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from curl import curl
from gateway import wait_for
from http2_peer import Http2Client
from issuer import AUDIENCE, NAME, PREFIX, Issuer, Key
from manifests import application_gateway, ingress, service
from metrics import Metrics
from wire import HANDSHAKE, Client, get

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "11111111-2222-3333-4444-555555555555"


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def bearer(token):
    return f"Authorization: Bearer {token}"


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims(**changes):
    return {"iss": NAME, "aud": AUDIENCE, "sub": "mallory", "exp": int(time.time()) + 300} | changes


def unsigned(issuer):
    return f"{part({'alg': 'none', 'kid': issuer.key.name})}.{part(claims())}."


def confused(issuer):
    """Signed by a secret, which is the issuer's public key."""
    text = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': issuer.key.name})}.{part(claims())}"
    proof = hmac.new(issuer.key.pem(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(proof).rstrip(b'=').decode()}"


def changed(issuer):
    """The signature of another token."""
    header, _, signature = issuer.token().split(".")
    return f"{header}.{part(claims(sub='admin'))}.{signature}"


#: Tokens that are refused, and what the client is told of each.
REFUSED = {
    "none": (lambda issuer: None, "TokenMissing", None),
    "expired": (lambda issuer: issuer.token(exp=int(time.time()) - 61), "TokenInvalid", "expired"),
    "without an end": (lambda issuer: issuer.token(exp=None), "TokenInvalid", "does not say when it expires"),
    "not yet valid": (lambda issuer: issuer.token(nbf=int(time.time()) + 120), "TokenInvalid", "not valid yet"),
    "another audience": (lambda issuer: issuer.token(aud="mail"), "TokenInvalid", "audience"),
    "another issuer": (lambda issuer: issuer.token(iss=NAME + "/"), "TokenInvalid", "issuer"),
    "unsigned": (unsigned, "TokenInvalid", "not a signed JWT"),
    "key confusion": (confused, "TokenInvalid", "its key does not allow"),
    "unknown key": (lambda issuer: issuer.token(key=Key("unheard of")), "TokenInvalid", "unknown key"),
    "forged": (lambda issuer: issuer.token(key=Key(issuer.key.name)), "TokenInvalid", "signature is wrong"),
    "changed": (changed, "TokenInvalid", "signature is wrong"),
    "garbage": (lambda issuer: "garbage", "TokenInvalid", "not a signed JWT"),
    "huge": (lambda issuer: "a" * 17_000, "TokenInvalid", "too long"),
}


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_a_valid_token_is_let_through_and_the_backend_learns_whose_it_is(gateway, http_backend, algorithm):
    issuer, backend = Issuer(algorithm).start(), http_backend()
    site = ingress("web", {"/": "web"}, annotations=issuer.annotations())
    gateway.serve(service("web", backend.port), site, arguments=["--h2c"])
    forged = ("-H", "X-User: root", "-H", "X-Msft-Entra-Identity: root", "-H", "Connection: X-User, keep-alive")
    for version in ("--http1.1", "--http2-prior-knowledge"):
        if version == "--http2-prior-knowledge":
            forged = forged[:4]
        for _ in range(2):  # verified, and then remembered
            answer = curl(gateway.url("/a?b=c"), version, "-H", bearer(issuer.token()), *forged)
            fields = dict(answer.json()["fields"])
            assert (answer.status, fields["x-user"]) == (200, "alice")
            assert "x-msft-entra-identity" not in fields
            assert answer.json()["target"] == "/a?b=c"
    issuer.close()


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_is_refused_with_a_challenge(gateway, scripted, issuer, name):
    make, reason, told = REFUSED[name]
    backend = scripted(lambda exchange: None)
    site = ingress("web", {"/": "web"}, annotations=issuer.annotations(query_parameter="token"))
    gateway.serve(service("web", backend.port), site, arguments=["--h2c"])
    wait_for(lambda: issuer.requests, "the keys are fetched")
    token = make(issuer)
    field = [bearer(token)] if token else []

    def check(status, value):
        assert (status, value("x-steadygate-reason")) == (401, reason)
        challenge = value("www-authenticate")
        if told:
            assert challenge.startswith('Bearer error="invalid_token", error_description="') and told in challenge
        else:
            assert challenge == "Bearer"

    # HTTP/1.1: a request, and a WebSocket handshake, each on a connection that goes on.
    handshake = HANDSHAKE[:-2] + "".join(f"{line}\r\n" for line in field).encode() + b"\r\n"
    with Client(gateway.http) as client:
        for request in (get("/x", "localhost", *field), handshake):
            answer = client.ask(request)
            check(answer.status, lambda name: answer[name])
            assert not token or token.encode() not in answer.raw + answer.body
    # By the query, where browsers have it.
    if token:
        with Client(gateway.http) as client:
            answer = client.ask(get(f"/x?token={token}"))
            check(answer.status, lambda name: answer[name])
    # HTTP/2: a request, and an extended CONNECT.
    client = Http2Client(gateway.http)
    fields = [("authorization", f"Bearer {token}")] if token else []
    plain = client.ask("/x", *fields, without=("protocol",), method="GET", end=True)
    for stream in (plain, client.ask("/x", ("sec-websocket-version", "13"), *fields)):
        status, fields = stream.answer(), dict(stream.fields)
        check(status, lambda name: fields[name])
    client.close()
    assert backend.got_nothing()
    # Both handshakes, and no request, are counted as such.
    metrics = Metrics(gateway.admin_text("/metrics"))
    assert metrics.of("websocket_handshakes_total", object="Ingress default/web", outcome="denied") == 2
    assert "alice" not in gateway.log() and "mallory" not in gateway.log()
    assert not token or token not in gateway.log()


def test_a_browser_brings_it_in_the_query_which_goes_no_further(gateway, crowd, crowd_backend, http_backend, issuer):
    backend, web = crowd_backend(), http_backend()
    gateway.serve(
        service("chat", backend.port),
        service("web", web.port),
        ingress("web", {"/ws": "chat", "/": "web"}, annotations=issuer.annotations(query_parameter="access_token")),
    )
    token = issuer.token()
    (client,) = crowd.open(gateway.http, path=f"/ws?access_token={token}&room=1")
    assert client.status == 101 and crowd.echo([client]) == 1
    answer = curl(gateway.url(f"/a?x=1&access_token={token}&y=2"))
    assert answer.json()["target"] == "/a?x=1&y=2"
    # A header has precedence; the parameter goes no further either.
    answer = curl(gateway.url("/a?access_token=garbage"), "-H", bearer(token))
    assert (answer.status, answer.json()["target"]) == (200, "/a")
    gateway.terminate()
    gateway.exit_code()
    assert token not in gateway.log() and "garbage" not in gateway.log()


def test_keys_rotate_under_requests_and_sessions(gateway, crowd, crowd_backend, issuer):
    backend = crowd_backend()
    gateway.serve(
        service("chat", backend.port),
        ingress("chat", {"/": "chat"}, annotations=issuer.annotations() | {"steadygate.io/health-probe": "off"}),
    )
    old = issuer.key
    (session,) = crowd.open(gateway.http, Authorization=f"Bearer {issuer.token()}")
    assert session.status == 101

    def status(key):
        (client,) = crowd.open(gateway.http, Authorization=f"Bearer {issuer.token(key=key)}")
        return client.status

    # Both keys, as issuers do before they sign with the new one. It is fetched when it is first seen, if not at once.
    new = Key("second")
    issuer.keys = [old, new]
    fetched = issuer.requests
    wait_for(lambda: status(new) == 101, "the new key is known", timeout=15)
    assert issuer.requests == fetched + 1
    assert status(old) == 101
    # The old key goes: what it has signed is refused, also what was verified before, but no session ends.
    issuer.keys = [new]
    third = Key("third")
    wait_for(lambda: status(third) == 401 and issuer.requests > fetched + 1, "the keys are fetched again", timeout=15)
    assert (status(old), status(new)) == (401, 101)
    assert crowd.echo([session]) == 1


def test_while_the_issuer_is_away_the_last_keys_are_used_and_without_any_nobody_is_let_through(gateway, http_backend):
    issuer, backend = Issuer(), http_backend()
    gateway.serve(service("web", backend.port), ingress("web", {"/": "web"}, annotations=issuer.annotations()))

    def answer():
        with Client(gateway.http) as client:
            return client.ask(get("/", "localhost", bearer(issuer.token())))

    refused = answer()
    assert (refused.status, refused["x-steadygate-reason"]) == (503, "TokenKeysUnavailable")
    assert int(refused["retry-after"]) > 0
    with Client(gateway.http) as client:
        assert client.ask(get("/")).status == 401, "without a token no key is needed"
    url = issuer.url
    metrics = Metrics(gateway.admin_text("/metrics"))
    assert metrics.of("jwks_fetches_total", url=url, result="failure") >= 1
    assert metrics.of("jwks_usable", url=url) == 0
    assert "keys of tokens can't be fetched" in gateway.log()
    # It comes, and goes again.
    issuer.start()
    wait_for(lambda: answer().status == 200, "its keys are fetched", timeout=15)
    issuer.close()
    assert answer().status == 200
    metrics = Metrics(gateway.admin_text("/metrics"))
    assert (metrics.of("jwks_fetches_total", url=url, result="success"), metrics.of("jwks_usable", url=url)) == (1, 1)


def test_a_session_ends_with_its_token_unless_its_route_says_otherwise(gateway, crowd, crowd_backend, issuer):
    backend, settings = crowd_backend(), issuer.annotations(clock_skew="0") | {"steadygate.io/health-probe": "off"}
    gateway.serve(
        service("chat", backend.port),
        ingress("short", {"/": "chat"}, host="short.example", annotations=settings),
        ingress("long", {"/": "chat"}, host="long.example", annotations=settings | {PREFIX + "session-at-token-end": "keep"}),
        arguments=["--log-format", "json"],
    )  # fmt: skip
    end = int(time.time()) + 4
    authorization = {"Authorization": f"Bearer {issuer.token(exp=end)}"}
    (short,) = crowd.open(gateway.http, host="short.example", **authorization)
    (long,) = crowd.open(gateway.http, host="long.example", **authorization)
    (later,) = crowd.open(gateway.http, host="short.example", Authorization=f"Bearer {issuer.token()}")
    assert crowd.echo([short, long, later]) == 3
    # Settings and keys that change touch no open session.
    gateway.apply("more.json", ingress("other", {"/": "chat"}, host="other.example", annotations=settings))
    assert crowd.echo([short, long, later]) == 3
    wait_for(lambda: short.end, "the token has ended", timeout=10)
    assert end <= time.time() < end + 4
    assert (short.close, short.reason) == (1008, "token expired")
    wait_for(lambda: "1008 token expired" in backend.seen()["close"], "the backend receives the Close")
    assert crowd.echo([long, later]) == 2
    (logged,) = wait_for(lambda: gateway.entries("session closed"), "it is logged")
    assert (logged["cause"], logged["initiator"], logged["code"]) == ("token_expired", "gateway", 1008)
    (refused,) = crowd.open(gateway.http, host="short.example", **authorization)
    assert refused.status == 401


def test_a_session_over_http2_ends_with_its_token(gateway, crowd_backend, issuer):
    backend, settings = crowd_backend(), issuer.annotations(clock_skew="0") | {"steadygate.io/health-probe": "off"}
    gateway.serve(service("chat", backend.port), ingress("chat", {"/": "chat"}, annotations=settings), arguments=["--h2c"])
    client = Http2Client(gateway.http)
    token = issuer.token(exp=int(time.time()) + 3)
    stream = client.open("/", ("authorization", f"Bearer {token}"))
    wait_for(lambda: b"\x03\xf0token expired" in stream.data, "the Close comes", timeout=10)
    client.close()


def test_keys_of_a_config_map_are_replaced_and_garbage_is_not_taken(gateway, http_backend):
    issuer, backend = Issuer(), http_backend()
    settings = issuer.annotations(jwks_url=None, jwks_config_map="keys/jwks.json")
    gateway.write("keys.json", config_map("keys", **{"jwks.json": issuer.key_set()}))
    gateway.serve(service("web", backend.port), ingress("web", {"/": "web"}, annotations=settings))
    old, new = issuer.key, Key("second")

    def status(key):
        with Client(gateway.http) as client:
            answer = client.ask(get("/", "localhost", bearer(issuer.token(key=key))))
        return answer.status, answer["x-steadygate-reason"]

    assert status(old) == (200, "")
    issuer.keys = [new]
    gateway.apply("keys.json", config_map("keys", **{"jwks.json": issuer.key_set()}))
    assert (status(old), status(new)) == ((401, "TokenInvalid"), (200, ""))
    gateway.apply("keys.json", config_map("keys", **{"jwks.json": "<html>"}))
    assert status(new) == (200, "")
    wait_for(lambda: "InvalidKeySet" in gateway.log(), "it is reported")
    gateway.apply("keys.json", config_map("other", a="b"))
    assert status(new) == (503, "AccessControl")


def entra_gateway(port, **config):
    """An ApplicationGateway whose rule asks for tokens of Entra, with the keys in a ConfigMap."""
    (gateway,) = application_gateway("contoso", port)
    keys = {"configMapRef": {"name": "keys", "key": "jwks.json"}}
    element = {"name": "staff", "tenantId": TENANT, "clientId": CLIENT, "audiences": ["api://chat"], "jwks": keys}
    gateway["spec"]["entraJWTValidationConfigs"] = [element | config]
    gateway["spec"]["requestRoutingRules"][0]["entraJWTValidationConfig"] = {"name": "staff"}
    return gateway


def entra(version):
    return {"v2": f"https://login.microsoftonline.com/{TENANT}/v2.0", "v1": f"https://sts.windows.net/{TENANT}/"}[version]


def test_entra_tokens_of_both_versions_tell_the_backend_tenant_and_user(gateway, http_backend):
    issuer, backend = Issuer("RS256"), http_backend()
    keys = config_map("keys", **{"jwks.json": issuer.key_set()})
    gateway.serve(keys, entra_gateway(backend.port))

    def ask(*fields, **claims):
        with Client(gateway.http) as client:
            token = issuer.token(**{"iss": entra("v2"), "tid": TENANT, "oid": "o-1", "aud": CLIENT} | claims)
            return client.ask(get("/a", "localhost", bearer(token), *fields))

    def identity(answer):
        return [value for name, value in json.loads(answer.body)["fields"] if name == "x-msft-entra-identity"]

    for version in ("v2", "v1"):
        for audience in (CLIENT, "api://chat"):
            answer = ask("X-MSFT-Entra-Identity: forged", "Connection: X-MSFT-Entra-Identity", iss=entra(version), aud=audience)
            assert (answer.status, identity(answer)) == (200, [f"{TENANT}:o-1"])
    other = "00000000-0000-0000-0000-000000000001"
    assert ask(aud="api://mail").status == 401
    assert ask(tid=other).status == 401
    assert ask(tid=other, iss=entra("v2").replace(TENANT, other)).status == 401
    assert ask(iss=NAME).status == 401
    answer = ask(oid=None)
    assert (answer.status, answer["x-steadygate-reason"]) == (403, "TokenIncomplete")

    # Allow: whoever has no valid token goes on, and is nobody.
    gateway.apply("site.json", keys, entra_gateway(backend.port, unAuthorizedRequestAction="Allow"))
    with Client(gateway.http) as client:
        answer = client.ask(get("/a", "localhost", "X-Msft-Entra-Identity: forged"))
        assert (answer.status, identity(answer)) == (200, [])
    assert identity(ask("x-msft-entra-identity: forged", aud="api://mail")) == []
    assert identity(ask()) == [f"{TENANT}:o-1"]


def test_the_challenge_of_a_certificate_authority_needs_no_token(gateway, http_backend, issuer):
    backend = http_backend()
    challenge = "/.well-known/acme-challenge/abc"
    exact = ingress("web", {challenge: "web"}, annotations=issuer.annotations(), path_type="Exact")
    exact[0]["spec"]["rules"][0]["http"]["paths"] += ingress("x", {"/": "web"})[0]["spec"]["rules"][0]["http"]["paths"]
    gateway.serve(service("web", backend.port), exact)
    with Client(gateway.http) as client:
        assert client.ask(get(challenge)).status == 200
        assert client.ask(get("/")).status == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"audiences": None},
        {"issuer": None},
        {"jwks_url": None},
        {"jwks_url": "ftp://a.example/keys"},
        {"jwks_url": "http://a.example/keys"},
        {"jwks_url": "https://169.254.169.254/keys"},
        {"clock_skew": "an hour"},
        {"unauthorized": "maybe"},
        {"claims_to_headers": "sub=Host"},
        {"entra_tenant": "contoso"},
    ],
    ids=str,
)
def test_a_setting_that_can_not_be_read_closes_what_it_guards(gateway, http_backend, issuer, wrong):
    backend = http_backend()
    gateway.serve(
        service("web", backend.port),
        ingress("web", {"/": "web"}, host="a.example", annotations=issuer.annotations(**wrong)),
        ingress("other", {"/": "web"}, host="b.example"),
    )
    with Client(gateway.http) as client:
        answer = client.ask(get("/", "a.example", bearer(issuer.token())))
        assert (answer.status, answer["x-steadygate-reason"]) == (503, "AccessControl")
        assert client.ask(get("/", "b.example")).status == 200
    assert "answers 503" in gateway.log()
