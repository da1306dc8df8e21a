"""Rewrite rules of an ApplicationGateway: what backends and clients see, over each protocol."""

import json

import pytest

from curl import curl
from http2_peer import Http2Client
from manifests import application_gateway, secret
from metrics import Metrics
from test_extended_connect import accept
from wire import ACCEPTED, HANDSHAKE, Client, answers, get, response

SECURE = {"headerName": "Strict-Transport-Security", "headerValue": "max-age=31536000"}


def rule(name="r", *, request=None, answer=None, url=None, conditions=()):
    def header(item):
        name, value = item
        return {"headerName": name, "headerValue": value}

    actions = {
        "requestHeaderConfigurations": [header(item) for item in (request or {}).items()],
        "responseHeaderConfigurations": [header(item) for item in (answer or {}).items()],
    }
    if url:
        actions["urlConfiguration"] = url
    written = [{"variable": variable, "pattern": pattern} for variable, pattern in conditions]
    return {"name": name, "conditions": written, "actionSet": actions}


def rewriting(port, *rules, **settings):
    """An ApplicationGateway whose one rule has a set of these rules."""
    [gateway] = application_gateway("contoso", port, **settings)
    gateway["spec"]["rewriteRuleSets"] = [{"name": "set", "rewriteRules": list(rules)}]
    gateway["spec"]["requestRoutingRules"][0]["rewriteRuleSet"] = {"name": "set"}
    return gateway


def routed(ports, *rules):
    """An ApplicationGateway with a path map: `/listing1` has a backend of its own, and all else, which is rewritten, the default."""
    [generic, listing] = ports
    gateway = rewriting(generic, *rules)
    spec = gateway["spec"]
    spec["backendHttpSettingsCollection"].append({"name": "listing", "port": listing, "protocol": "Http"})
    spec["requestRoutingRules"] = [
        {"name": "r", "ruleType": "PathBasedRouting", "httpListener": {"name": "http"}, "urlPathMap": {"name": "map"}}
    ]
    closed = {"name": "closed", "targetUrl": "https://closed.example/", "redirectType": "Found"}
    spec["redirectConfigurations"] = [closed]
    path = {"name": "listing", "paths": ["/listing1*"], "backendAddressPool": {"name": "servers"}}
    spec["urlPathMaps"] = [
        {
            "name": "map",
            "defaultBackendAddressPool": {"name": "servers"},
            "defaultBackendHttpSettings": {"name": "settings"},
            "defaultRewriteRuleSet": {"name": "set"},
            "pathRules": [
                path
                | {"backendHttpSettings": {"name": "listing"}, "rewriteRuleSet": {"name": "other"}},
                # Its settings refer to nothing: it answers 503.
                path | {"name": "broken", "paths": ["/broken"], "backendHttpSettings": {"name": "gone"}},
            ],
        }
    ]
    other = rule(request={"X-Other": "applied"}, answer={"X-Other": "applied"})
    spec["rewriteRuleSets"].append({"name": "other", "rewriteRules": [other]})
    return gateway


@pytest.fixture
def backend(http_backend):
    return http_backend("one")


def seen(answer):
    told = answer.json()
    return told["target"], dict(told["fields"])


def test_request_headers_are_set_removed_and_made_of_variables(gateway, backend):
    request = {
        "X-Forwarded-For": "{var_client_ip}:{var_client_port}",
        "X-Facts": "{var_http_method} {var_host} {var_uri_path} {var_query_string} {var_cookie_a} {var_request_scheme}",
        "X-Gone": "",
        "Host": "inner.example:81",
    }
    gateway.serve(rewriting(backend.port, rule(request=request)))
    answer = curl(gateway.url("/a/../b?c=d"), "--path-as-is", "-H", "X-Gone: 1", "-H", "Cookie: a=7; b=8")
    target, fields = seen(answer)
    assert target == "/b?c=d"
    address, port = fields["x-forwarded-for"].split(":")
    assert (address, int(port) > 1023) == ("127.0.0.1", True)
    assert fields["x-facts"] == "GET localhost /b c=d 7 http"
    assert "x-gone" not in fields and fields["host"] == "inner.example:81"
    assert fields["x-forwarded-host"] == f"localhost:{gateway.http}", "the client's"


def test_tls_variables_tell_of_the_clients_connection(gateway, backend, certificate):
    facts = "{var_ssl_enabled} {var_ssl_connection_protocol} {var_ciphers_used} {var_request_scheme} {var_http_version} {var_server_port}"
    manifest = rewriting(backend.port, rule(request={"X-Facts": facts}))
    spec = manifest["spec"]
    spec["frontendPorts"].append({"name": "port443", "port": 443})
    spec["sslCertificates"] = [{"name": "cert", "secretRef": {"name": "tls"}}]
    spec["httpListeners"].append(
        {"name": "https", "frontendPort": {"name": "port443"}, "protocol": "Https", "sslCertificate": {"name": "cert"}}
    )
    spec["requestRoutingRules"].append(spec["requestRoutingRules"][0] | {"name": "s", "httpListener": {"name": "https"}})
    gateway.serve(manifest, *secret("tls", certificate("localhost")))
    for arguments, protocol, version in [
        (["--http1.1", "--tls-max", "1.2"], "TLSv1.2", "HTTP/1.1"),
        (["--http2", "--tlsv1.3"], "TLSv1.3", "HTTP/2.0"),
    ]:
        answer = curl(gateway.url("/", "https"), "--insecure", *arguments)
        enabled, told, cipher, *rest = seen(answer)[1]["x-facts"].split()
        assert (enabled, told, rest) == ("On", protocol, ["https", version, "443"])
        assert cipher.startswith("TLS_") and "WITH" not in cipher or protocol == "TLSv1.2"
    assert seen(curl(gateway.url("/")))[1]["x-facts"].split() == ["http", "HTTP/1.1", "80"]


def test_a_condition_decides_and_its_groups_are_used(gateway, backend):
    """Microsoft's example: rewrite query string parameters based on the URL."""
    friendly = rule(
        conditions=[("var_uri_path", "/(.+)/(.+)")],
        url={"modifiedPath": "buy.aspx", "modifiedQueryString": "category={var_uri_path_1}&product={var_uri_path_2}"},
    )
    gateway.serve(rewriting(backend.port, friendly))
    assert seen(curl(gateway.url("/fashion/shirts")))[0] == "/buy.aspx?category=fashion&product=shirts"
    assert seen(curl(gateway.url("/fashion?x=1")))[0] == "/fashion?x=1", "not met"
    assert seen(curl(gateway.url("/a&admin=1/b")))[0] == "/buy.aspx?category=a%26admin=1&product=b"


def test_a_query_is_removed_or_kept(gateway, backend):
    gateway.serve(rewriting(backend.port, rule(url={"modifiedPath": "/new", "modifiedQueryString": ""})))
    assert seen(curl(gateway.url("/old?x=1")))[0] == "/new"
    gateway.apply("site.json", rewriting(backend.port, rule(url={"modifiedPath": "/new"})))
    assert seen(curl(gateway.url("/old?x=1")))[0] == "/new?x=1"


def test_what_climbs_out_of_a_path_is_refused(gateway, backend):
    gateway.serve(rewriting(backend.port, rule(url={"modifiedPath": "/items/{http_req_X-Id}"})))
    assert seen(curl(gateway.url("/"), "-H", "X-Id: 7"))[0] == "/items/7"
    for climbing in ["../admin", "a/%2e%2E", "."]:
        answer = curl(gateway.url("/"), "-H", f"X-Id: {climbing}")
        assert (answer.status, answer.head["x-steadygate-reason"]) == (400, "MalformedRequest")


def test_answers_lose_and_get_headers_and_several_values_are_kept_apart(gateway, scripted):
    """The Server that a rule removes is not replaced by the gateway's own."""
    given = ["Server: Apache", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=1", "Location: https://x.azurewebsites.net/p"]
    backend = scripted(answers(response(b"text", "302 Found", *given)))
    cookies = {
        "headerName": "Set-Cookie",
        "headerValue": "{http_resp_Set-Cookie_1}; Secure",
        "headerValueMatcher": {"pattern": "^(a=.*)$"},
    }
    location = rule(
        "location",
        conditions=[("http_resp_Location", r"(https?):\/\/.*azurewebsites\.net(.*)$"), ("var_http_status", "^302$")],
        answer={"Location": "{http_resp_Location_1}://{var_host}{http_resp_Location_2}", "Server": ""},
    )
    always = rule("always", answer={"X-Was": "{http_resp_Server} {http_req_X-Ask}"})
    always["actionSet"]["responseHeaderConfigurations"] += [cookies, SECURE]
    gateway.serve(rewriting(backend.port, location, always))
    with Client(gateway.http) as client:
        answer = client.ask(get("/x", "contoso.com", "X-Ask: q"))
    assert (answer.status, answer.body) == (302, b"text")
    assert answer["location"] == "https://contoso.com/p"
    assert "server" not in dict(answer.fields)
    assert answer.values("set-cookie") == ["a=1; Path=/; Secure", "b=1"]
    assert answer["x-was"] == "Apache q", "rules look at what the backend gave"
    assert answer["strict-transport-security"] == "max-age=31536000"


def test_what_the_gateway_itself_answers_is_not_rewritten(gateway, backend):
    gateway.serve(routed([backend.port, backend.port], rule(answer={"X-Rewritten": "yes"})))
    assert curl(gateway.url("/x")).head["x-rewritten"] == "yes"
    broken = curl(gateway.url("/broken"))
    assert (broken.status, broken.head["x-rewritten"]) == (503, "")
    backend.close()
    refused = curl(gateway.url("/x"))
    assert (refused.status, refused.head["x-rewritten"]) in [(502, ""), (503, "")]


def shoes(path="/listing1"):
    url = {"modifiedPath": path, "reroute": True}
    return rule("shoes", conditions=[("var_query_string", "category=shoes")], url=url, request={"X-Set": "{var_uri_path}"})


def test_the_new_path_decides_on_the_route_once(gateway, http_backend):
    """Microsoft's example: parameter based path selection. The rewrites of the route that is found do not apply."""
    generic, listing = http_backend("generic"), http_backend("listing")
    gateway.serve(routed([generic.port, listing.port], shoes()))
    for uri, server, target in [
        ("/listing?category=any", "generic", "/listing?category=any"),
        ("/listing?category=shoes", "listing", "/listing1?category=shoes"),
        ("/listing1?category=any", "listing", "/listing1?category=any"),
    ]:
        told = curl(gateway.url(uri)).json()
        assert (told["server"], told["target"]) == (server, target)
    answer = curl(gateway.url("/a/../x?category=shoes"), "--path-as-is")
    fields = seen(answer)[1]
    assert (fields["x-set"], "x-other" in fields, answer.head["x-other"]) == ("/x", False, "")
    # A route that can't serve says so, and no wider one takes its place.
    gateway.apply("site.json", routed([generic.port, listing.port], shoes("/broken")))
    assert curl(gateway.url("/x?category=shoes")).status == 503


def test_a_path_that_leads_back_ends(gateway, http_backend):
    generic = http_backend("generic")
    gateway.serve(routed([generic.port, generic.port], shoes("/x")))
    assert seen(curl(gateway.url("/x?category=shoes")))[0] == "/x?category=shoes"


def test_a_handshake_and_its_answer_are_rewritten(gateway, scripted):
    def script(exchange):
        exchange.send(ACCEPTED.replace(b"Connection: Upgrade\r\n", b"Connection: Upgrade\r\nServer: Apache\r\n"))
        exchange.send(exchange.read(2))
        exchange.read_to_end()

    backend = scripted(script)
    handshake = rule(
        conditions=[("var_http_method", "^GET$"), ("http_req_Upgrade", "websocket")],
        request={"X-Room": "{var_uri_path}", "Origin": ""},
        answer={"X-Status": "{var_http_status}", "Server": "", "Set-Cookie": "s=1"},
        url={"modifiedPath": "/ws"},
    )
    gateway.serve(rewriting(backend.port, handshake))
    with Client(gateway.http) as client:
        answer = client.ask(HANDSHAKE)
        assert (answer.status, answer["sec-websocket-accept"]) == (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        assert (answer["x-status"], answer["set-cookie"], "server" in dict(answer.fields)) == ("101", "s=1", False)
        client.send(b"hi")
        assert client.read(2) == b"hi"
    head = backend.next().head
    assert head.first == "GET /ws HTTP/1.1"
    assert (head["x-room"], head["origin"], head["upgrade"]) == ("/chat", "", "websocket")


def test_a_handshake_over_http2_is_rewritten_alike(gateway, scripted):
    def script(exchange):
        accept(exchange, "Server: Apache")
        exchange.read_to_end()

    backend = scripted(script)
    handshake = rule(
        conditions=[("var_http_method", "^GET$")],
        request={"X-Room": "{var_uri_path} {var_http_version}"},
        answer={"X-Status": "{var_http_status}", "Server": ""},
        url={"modifiedPath": "/ws"},
    )
    gateway.serve(rewriting(backend.port, handshake), arguments=["--h2c"])
    with Http2Client(gateway.http) as client:
        session = client.open("/chat?room=1")
        assert (session["x-status"], session["server"]) == ("101", "")
        head = backend.next().head
        assert (head.first, head["x-room"]) == ("GET /ws?room=1 HTTP/1.1", "/chat HTTP/2.0")


def test_requests_over_http2_are_rewritten(gateway, backend):
    changes = rule(request={"X-Cookies": "{var_cookie_b} {http_req_Cookie}"}, answer={"X-Version": "{var_http_version}"})
    gateway.serve(rewriting(backend.port, changes), arguments=["--h2c"])
    with Http2Client(gateway.http) as client:
        stream = client.ask("/x", ("cookie", "a=1"), ("cookie", "b=2"), without=("protocol",), method="GET", end=True)
        assert (stream.answer(), stream["x-version"]) == (200, "HTTP/2.0")
        fields = dict(json.loads(stream.read_to_end())["fields"])
        assert fields["x-cookies"] == "2 a=1; b=2"


def test_a_session_whose_path_was_rewritten_outlives_changes(gateway, scripted):
    def script(exchange):
        exchange.send(ACCEPTED)
        while data := exchange.sock.recv(64):
            exchange.send(data)

    listing, generic = scripted(script), scripted(script)
    reroute = rule(url={"modifiedPath": "/listing1", "reroute": True})
    gateway.serve(routed([generic.port, listing.port], reroute))
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 101
        assert listing.next() and generic.got_nothing()
        # A rule changes, and another header is set: no session is about that.
        changed = rule(url={"modifiedPath": "/listing1", "reroute": True}, answer={"X-New": "1"})
        gateway.apply("site.json", routed([generic.port, listing.port], changed))
        client.send(b"still here")
        assert client.read(10) == b"still here"


def test_a_header_that_can_not_be_written_is_left_out_and_counted(gateway, backend):
    gateway.serve(rewriting(backend.port, rule(request={"Host": "{http_req_X-Host}", "X-Fine": "yes"})))
    _, fields = seen(curl(gateway.url("/"), "-H", "X-Host: a/b"))
    assert (fields["host"], fields["x-fine"]) == (f"localhost:{gateway.http}", "yes")
    owner = "ApplicationGateway default/contoso"
    assert Metrics(gateway.admin_text("/metrics")).of("rewrites_left_out_total", owner) == 1
