"""Sticky sessions: a cookie brings a client back to its member, over HTTP and WebSocket alike."""

import hashlib
import re
import threading
import time
from itertools import cycle

import pytest

from curl import curl
from gateway import Gateway, steadygate, wait_for
from manifests import application_gateway, ingress, secret, service
from wire import ACCEPTED, HANDSHAKE, Client, get, response

AGIC = {"appgw.ingress.kubernetes.io/cookie-based-affinity": "true"}
NGINX = "nginx.ingress.kubernetes.io/"
NAME = "ApplicationGatewayAffinity"


@pytest.fixture(autouse=True)
def key(tmp_path, monkeypatch):
    """The key of cookies, which all gateways of a test share."""
    path = tmp_path / "affinity-key"
    path.write_text("shared by all replicas\n")
    monkeypatch.setenv("STEADYGATE_AFFINITY_KEY_FILE", str(path))
    return path


@pytest.fixture
def member(scripted):
    """`member(name)`: a backend that says its name, in an answer or as a message, and sets a cookie of its own for /own. It
    says that it is well once `begin` is set."""

    def make(name, begin=None):
        def script(exchange):
            if "/health" in exchange.head.first:
                if begin:
                    begin.wait(10)
                exchange.send(response())
            elif exchange.head["upgrade"]:
                exchange.send(ACCEPTED + bytes([0x81, len(name)]) + name.encode())
                exchange.read_to_end()
            else:
                own = ["Set-Cookie: own=1; Path=/", "Cache-Control: max-age=60"] if "/own" in exchange.head.first else []
                exchange.send(response(name.encode(), "200 OK", *own))

        return scripted(script)

    return make


@pytest.fixture
def three(member):
    return {name: member(name) for name in "abc"}


def ports(members):
    return [member.port for member in members.values()]


def served(gateway, members, annotations=AGIC, **named):
    gateway.serve(service("chat", *ports(members)), ingress("chat", {"/": "chat"}, annotations=annotations, **named))
    wait_for(lambda: len({ask(gateway)[0] for _ in members}) == len(members), "each gets one")
    return gateway


def ask(gateway, *cookies, path="/x"):
    """Asks once: who answered, and what cookies are set."""
    with Client(gateway.http) as client:
        answer = client.ask(get(path, "localhost", *(f"Cookie: {cookie}" for cookie in cookies)))
        assert answer.status == 200
        return answer.body.decode(), answer.values("set-cookie")


def open_session(gateway, *cookies):
    """Opens a session: who is there, and what cookies the 101 sets."""
    with Client(gateway.http) as client:
        lines = "".join(f"Cookie: {cookie}\r\n" for cookie in cookies).encode()
        answer = client.ask(HANDSHAKE[:-2] + lines + b"\r\n")
        assert answer.status == 101
        return client.read(3)[2:].decode(), answer.values("set-cookie")


def pair(cookies):
    """NAME=VALUE of the only cookie that is set."""
    (cookie,) = cookies
    return cookie.split(";")[0]


def test_requests_and_sessions_of_a_client_go_to_one_member(gateway, three):
    served(gateway, three)
    for first, second in [(ask, open_session), (open_session, ask)]:
        for _ in three:
            name, cookies = first(gateway)
            assert re.fullmatch(NAME + "=[0-9a-f]{16}; Path=/; HttpOnly", cookies[0]), cookies
            for way in [first, second] * 4:
                assert way(gateway, pair(cookies)) == (name, [])


def test_cookies_are_those_for_https_where_a_trusted_proxy_ends_it(gateway, three):
    gateway.start("--trusted-proxy", "127.0.0.0/8")
    gateway.apply("site.json", service("chat", *ports(three)), ingress("chat", {"/": "chat"}, annotations=AGIC))
    for proto, names in [("https", [NAME, f"{NAME}CORS"]), ("http", [NAME])]:
        with Client(gateway.http) as client:
            answer = client.ask(get("/x", "localhost", f"X-Forwarded-Proto: {proto}"))
            assert [cookie.split("=")[0] for cookie in answer.values("set-cookie")] == names


def test_members_have_cookies_of_their_own_and_see_them(gateway, three):
    served(gateway, three)
    cookies = {name: pair(cookies) for name, cookies in (ask(gateway) for _ in three)}
    assert len(set(cookies.values())) == len(three)
    for name, cookie in cookies.items():
        while not three[name].got_nothing():
            three[name].next()
        assert ask(gateway, f"a=1; {cookie}; b=2", path="/seen")[0] == name
        assert three[name].next().head["cookie"] == f"a=1; {cookie}; b=2"


def test_explain_tells_the_cookie_of_each_member(gateway, three):
    served(gateway, three)
    told = steadygate("explain", "--manifests", gateway.manifests, "http://localhost/x").stdout
    lines = [line for line in told.splitlines() if line.startswith("member ")]
    assert len(lines) == len(three)
    cookies = {f"127.0.0.1:{three[name].port}": pair(cookies) for name, cookies in (ask(gateway) for _ in three)}
    for line in lines:
        assert line.endswith(f"; cookie {cookies[line.split()[1]]}"), told


def test_a_cookie_that_leads_nowhere_is_replaced(gateway, three):
    served(gateway, three)
    name, cookies = ask(gateway)
    for useless in [f"{NAME}=0123456789abcdef", f"{NAME}=", f"{NAME}=../../x", f"{NAME}CORSX=1", "other=1"]:
        assert len(ask(gateway, useless)[1]) == 1
        assert ask(gateway, f"{useless}; {pair(cookies)}") == (name, []), "another may lead somewhere"
        assert ask(gateway, useless, pair(cookies)) == (name, [])
    assert ask(gateway, pair(cookies).replace(NAME, f"{NAME}CORS")) == (name, [])


def test_without_being_asked_for_no_cookie_is_set_or_read(gateway, three):
    served(gateway, three)
    name, cookies = ask(gateway)
    gateway.apply("site.json", service("chat", *ports(three)), ingress("chat", {"/": "chat"}))
    answers = [ask(gateway, pair(cookies)) for _ in range(6)]
    assert {name for name, _ in answers} == set(three)
    assert all(cookies == [] for _, cookies in answers)


def test_another_replica_and_another_start_know_the_cookie(gateway, three, tmp_path):
    served(gateway, three)
    cookies = dict(ask(gateway) for _ in three)
    other = Gateway(tmp_path / "other")
    try:
        served(other, three)
        for name, cookie in cookies.items():
            assert ask(other, pair(cookie)) == (name, [])
            assert open_session(other, pair(cookie)) == (name, [])
        for name, cookie in cookies.items():
            other.kill()
            other.start()
            assert ask(other, pair(cookie)) == (name, [])
    finally:
        other.kill()


def test_another_key_costs_a_client_its_member_once(gateway, three, key):
    served(gateway, three)
    cookies = dict(ask(gateway) for _ in three)
    gateway.kill()
    key.write_text("another key, which is as long\n")
    gateway.start()
    for cookie in cookies.values():
        name, others = ask(gateway, pair(cookie))
        assert pair(others) not in map(pair, cookies.values())
        assert ask(gateway, pair(cookie), pair(others)) == (name, [])


def test_without_the_key_an_address_is_not_found_by_trying(gateway, three):
    served(gateway, three)
    token = pair(ask(gateway)[1]).partition("=")[2]
    names = ["default/chat:http", "default/chat:http (Ingress default/chat)"]
    tried = {
        hashlib.sha256(f"{name}\0127.0.0.1:{port}".encode()).hexdigest()[:16] for name in names for port in ports(three)
    }
    assert token not in tried


def by_client_address(members, **annotations):
    site = service("chat", *ports(members))
    site[0]["spec"]["sessionAffinity"] = "ClientIP"
    return [*site, ingress("chat", {"/": "chat"}, annotations=annotations)]


def test_the_clients_address_names_the_member_where_the_service_asks_for_it(gateway, three, tmp_path):
    """Every replica finds the same one, and clients of another member stay where they are when one goes."""
    trusting = ["--trusted-proxy", "127.0.0.0/8"]
    gateway.serve(*by_client_address(three), arguments=trusting)
    other = Gateway(tmp_path / "other")
    clients = [f"192.0.2.{number}" for number in range(60)]

    def asked(gateway, client):
        with Client(gateway.http) as connection:
            answer = connection.ask(get("/x", "localhost", f"X-Forwarded-For: {client}"))
            assert answer.status == 200 and not answer.values("set-cookie")
            return answer.body.decode()

    try:
        other.serve(*by_client_address(three), arguments=trusting)
        wait_for(lambda: gateway.admin_text("/metrics").count('state="up"} 3'), "all are up")
        wait_for(lambda: other.admin_text("/metrics").count('state="up"} 3'), "all are up")
        before = {client: asked(gateway, client) for client in clients}
        assert set(before.values()) == set(three)
        assert {client: asked(other, client) for client in clients} == before
    finally:
        other.kill()
    gone = before[clients[0]]
    left = {name: member for name, member in three.items() if name != gone}
    gateway.apply("site.json", *by_client_address(left))
    assert all((asked(gateway, client) == name) == (name != gone) for client, name in before.items())
    gateway.apply("site.json", *by_client_address(three))
    wait_for(lambda: asked(gateway, clients[0]) == gone, "clients come back with their member")


def test_a_cookie_counts_for_more_than_the_clients_address(gateway, three):
    gateway.serve(*by_client_address(three, **AGIC))
    wait_for(lambda: gateway.admin_text("/metrics").count('state="up"} 3'), "all are up")
    first, cookies = ask(gateway)
    assert {ask(gateway)[0] for _ in range(6)} == {first}
    gateway.apply("site.json", *by_client_address({name: three[name] for name in three if name != first}, **AGIC))
    second, others = ask(gateway)
    gateway.apply("site.json", *by_client_address(three, **AGIC))
    wait_for(lambda: ask(gateway, pair(cookies))[0] == first, "it is back")
    assert ask(gateway, pair(others)) == (second, [])


def test_after_a_start_a_client_waits_for_its_own_members_probe(gateway, member):
    begin = threading.Event()
    begin.set()
    members = {"fast": member("fast"), "slow": member("slow", begin)}
    annotations = AGIC | {"appgw.ingress.kubernetes.io/health-probe-path": "/health"}
    served(gateway, members, annotations)
    cookies = dict(ask(gateway) for _ in members)
    gateway.kill()
    begin.clear()
    gateway.start()
    assert ask(gateway)[0] == "fast"
    with Client(gateway.http) as client:
        client.send(get("/x", "localhost", f"Cookie: {pair(cookies['slow'])}"))
        time.sleep(0.1)
        begin.set()
        answer = client.answer()
    assert (answer.body, answer.values("set-cookie")) == (b"slow", [])


def test_a_client_whose_member_is_removed_is_moved_once(gateway, three):
    served(gateway, three)
    name, cookies = ask(gateway)
    site = ingress("chat", {"/": "chat"}, annotations=AGIC)
    rest = [three[other].port for other in three if other != name]
    gateway.apply("site.json", service("chat", *rest), site)
    moved, others = open_session(gateway, pair(cookies))
    assert moved != name and pair(others) != pair(cookies)
    gateway.apply("site.json", service("chat", *ports(three)), site)
    assert [ask(gateway, pair(others)) for _ in range(6)] == [(moved, [])] * 6


def test_a_client_whose_member_has_died_is_moved(gateway, three):
    served(gateway, three)
    for way in [ask, open_session]:
        name, cookies = ask(gateway)
        three.pop(name).close()
        moved, others = way(gateway, pair(cookies))
        assert moved in three and pair(others) != pair(cookies)
        assert way(gateway, pair(others)) == (moved, [])


def test_a_client_whose_member_fails_its_probe_is_moved(gateway, http_backend):
    backends = {name: http_backend(name) for name in "ab"}
    often = {f"appgw.ingress.kubernetes.io/health-probe-{part}": "1" for part in ["interval", "unhealthy-threshold"]}
    healthy = {"appgw.ingress.kubernetes.io/health-probe-status-codes": "200"}
    gateway.serve(service("two", *ports(backends)), ingress("two", {"/": "two"}, annotations=AGIC | often | healthy))

    def ask_always(*cookies):
        result = curl(gateway.url("/always"), *(part for cookie in cookies for part in ("-b", cookie)))
        return result.json()["server"], result.head.values("set-cookie")

    name, cookies = ask_always()
    assert ask_always(pair(cookies)) == (name, [])
    backends[name].health = 503
    moved, others = wait_for(lambda: (told := ask_always(pair(cookies)))[0] != name and told, "the client is moved")
    assert ask_always(pair(others)) == (moved, [])


def terminating(service, *numbers):
    """The Service again, with some pods that terminate and serve."""
    for number in numbers:
        service[1 + number]["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
    return service


def test_a_client_whose_pod_is_going_away_is_moved_unless_all_are(gateway, three):
    served(gateway, three)
    name, cookies = ask(gateway)
    site, number = ingress("chat", {"/": "chat"}, annotations=AGIC), list(three).index(name)
    gateway.apply("site.json", terminating(service("chat", *ports(three)), number), site)
    moved, others = ask(gateway, pair(cookies))
    assert moved != name and len(others) == 1
    gateway.apply("site.json", terminating(service("chat", *ports(three)), 0, 1, 2), site)
    for _ in range(4):
        assert ask(gateway, pair(cookies)) == (name, [])
        assert open_session(gateway, pair(others)) == (moved, [])


def test_what_the_backend_sets_stays(gateway, three):
    served(gateway, three)
    with Client(gateway.http) as client:
        answer = client.ask(get("/own"))
    own, ours = answer.values("set-cookie")
    assert own == "own=1; Path=/"
    assert ours.startswith(f"{NAME}=")
    assert answer["cache-control"] == "max-age=60"
    assert ask(gateway, pair([ours]), path="/own")[1] == [own]


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_over_https_a_second_cookie_is_for_other_sites(gateway, three, certificate, version):
    gateway.serve(
        service("chat", *ports(three)),
        secret("tls", certificate("localhost")),
        ingress("chat", {"/": "chat"}, secret="tls", annotations=AGIC),
    )

    def ask(*cookies):
        lines = [part for cookie in cookies for part in ("-H", f"Cookie: {cookie}")]
        result = curl(gateway.url("/x", "https"), version, *lines, ca=certificate("localhost").path)
        assert result.version == version.removeprefix("--http")
        return result.body.decode(), result.head.values("set-cookie")

    wait_for(lambda: len({ask()[0] for _ in three}) == len(three), "each gets one")
    for _ in three:
        name, (first, second) = ask()
        assert re.fullmatch(NAME + "=[0-9a-f]{16}; Path=/; HttpOnly", first)
        assert re.fullmatch(NAME + "CORS=[0-9a-f]{16}; Path=/; SameSite=None; Secure; HttpOnly", second)
        for cookies in [[pair([first])], [pair([second])], ["a=1", pair([second]), "b=2"]]:
            assert ask(*cookies) == (name, [])


def test_an_application_gateway_names_its_cookie(gateway, three):
    settings = {"port": 80, "cookieBasedAffinity": "Enabled", "affinityCookieName": "Chat"}
    site = application_gateway("contoso", 80, settings=settings)
    site[0]["spec"]["backendAddressPools"] = [{"name": "servers", "serviceRef": {"name": "chat"}}]
    gateway.serve(service("chat", *ports(three)), site)
    name, cookies = ask(gateway)
    assert re.fullmatch("Chat=[0-9a-f]{16}; Path=/; HttpOnly", cookies[0])
    for way in [ask, open_session] * 4:
        assert way(gateway, pair(cookies)) == (name, [])


def test_the_cookie_of_ingress_nginx(gateway, three):
    asked = {
        "affinity": "cookie", "affinity-mode": "persistent", "session-cookie-name": "route", "session-cookie-path": "/x",
        "session-cookie-domain": "example.com", "session-cookie-samesite": "Strict", "session-cookie-secure": "true",
        "session-cookie-max-age": "172800",
    }  # fmt: skip
    served(gateway, three, {NGINX + key: value for key, value in asked.items()})
    name, cookies = ask(gateway)
    attributes = "; Path=/x; Domain=example.com; Max-Age=172800; SameSite=Strict; Secure; HttpOnly"
    assert re.fullmatch("route=[0-9a-f]{16}" + attributes, cookies[0]), cookies
    assert ask(gateway, pair(cookies)) == (name, [])


@pytest.mark.parametrize(
    "annotations",
    [{NGINX + "affinity": "cookie"}, AGIC | {"appgw.ingress.kubernetes.io/cookie-based-affinity-distinct-name": "true"}],
    ids=["ingress-nginx", "agic"],
)  # fmt: skip
def test_cookies_of_two_backends_live_side_by_side(gateway, member, tmp_path, annotations):
    """As a client keeps them that knows what cookies are."""
    pages, images = [{name: member(name) for name in names} for names in ("ab", "cd")]
    gateway.serve(
        service("page", *ports(pages)),
        service("image", *ports(images)),
        ingress("site", {"/": "page", "/image": "image"}, annotations=annotations),
    )
    jar = ["-b", tmp_path / "jar", "-c", tmp_path / "jar"]
    seen = {path: set() for path in ["/page", "/image/x", "/image"]}
    for path, _ in zip(cycle(seen), range(12)):
        seen[path].add(curl(gateway.url(path), *jar).body)
    assert [len(names) for names in seen.values()] == [1, 1, 1]
    assert seen["/image/x"] == seen["/image"]
