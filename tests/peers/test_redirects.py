"""Redirects and rewrites of an ApplicationGateway: followed to a listener over TLS, explained, and compared before they are made."""

import json

import pytest

from curl import curl
from gateway import documents, steadygate
from manifests import application_gateway, secret
from wire import HANDSHAKE, Client

RULE = {"backendAddressPool": {"name": "servers"}, "backendHttpSettings": {"name": "settings"}}


def site(port, *, redirect="Permanent", header="first"):
    """In clear text everything is redirected to the listener over TLS, but for `/plain`, whose requests get a header."""
    [gateway] = application_gateway("contoso", port)
    spec = gateway["spec"]
    spec["frontendPorts"].append({"name": "port443", "port": 443})
    spec["sslCertificates"] = [{"name": "tls", "secretRef": {"name": "tls"}}]
    spec["httpListeners"].append(
        {"name": "https", "frontendPort": {"name": "port443"}, "protocol": "Https", "sslCertificate": {"name": "tls"}}
    )
    target = {"targetListener": {"name": "https"}, "includePath": True, "includeQueryString": True}
    spec["redirectConfigurations"] = [{"name": "to-https", "redirectType": redirect} | target]
    condition = {"variable": "var_uri_path", "pattern": "^/plain"}
    actions = {
        "requestHeaderConfigurations": [{"headerName": "X-Site", "headerValue": header}],
        "urlConfiguration": {"modifiedPath": "/rewritten"},
    }
    spec["rewriteRuleSets"] = [
        {"name": "set", "rewriteRules": [{"name": "mark", "conditions": [condition], "actionSet": actions}]}
    ]
    spec["requestRoutingRules"] = [
        {"name": "http", "ruleType": "PathBasedRouting", "httpListener": {"name": "http"}, "urlPathMap": {"name": "map"}},
        {"name": "https", "ruleType": "Basic", "httpListener": {"name": "https"}} | RULE,
    ]
    plain = {"name": "plain", "paths": ["/plain*"], "rewriteRuleSet": {"name": "set"}} | RULE
    spec["urlPathMaps"] = [
        {"name": "map", "defaultRedirectConfiguration": {"name": "to-https"}, "pathRules": [plain]},
    ]
    return gateway


@pytest.fixture
def backend(http_backend):
    return http_backend("one")


@pytest.fixture
def served(gateway, backend, certificate):
    gateway.write("site.json", site(backend.port), secret("tls", certificate("localhost")))
    gateway.start()
    return gateway


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_redirect_to_a_listener_over_tls_is_followed_there(served, certificate, version):
    answer = curl(served.url("/shop?item=7"), "--location", version, ca=certificate("localhost").path)
    assert answer.json()["target"] == "/shop?item=7"
    assert "< HTTP/1.1 301" in answer.verbose
    assert f"< Location: https://localhost:{served.https}/shop?item=7" in answer.verbose.replace("\r", "")


def test_a_handshake_in_clear_text_is_redirected_too(served):
    answer = Client(served.http).ask(HANDSHAKE)
    assert (answer.status, answer["location"]) == (301, "https://server.example.com/chat")


def test_explain_tells_redirects_and_rewrites_with_who_asked_for_them(served):
    told = steadygate("explain", "--manifests", served.manifests, "http://localhost/shop?item=7")
    assert told.returncode == 0
    assert "answer     301 to https://{host}{path}?{query}" in told.stdout
    told = steadygate("explain", "--manifests", served.manifests, "http://localhost/plain").stdout
    assert "rewrite    request x-site: first, path /rewritten; if var_uri_path matches" in told
    assert "(ApplicationGateway default/contoso: spec.rewriteRuleSets[0], rule mark)" in told


def test_diff_tells_what_changes_of_redirects_and_rewrites_and_closes_nothing(served, backend, certificate, tmp_path):
    tls = secret("tls", certificate("localhost"))
    new = tmp_path / "new"
    new.mkdir()
    (new / "site.json").write_text(documents(site(backend.port, redirect="Found", header="second"), tls))
    run = steadygate("diff", "--manifests", new, "--admin", f"127.0.0.1:{served.admin}", "--json")
    told = json.loads(run.stdout)
    changed = {
        field["field"]: (field["before"], field["after"])
        for route in told["changes"]["routes"]
        for field in route["fields"]
    }
    assert set(changed) == {"status", "policies.rewrites.rules"}
    assert changed["status"] == (301, 302)
    before, after = ([rule["request_headers"] for rule in rules] for rules in changed["policies.rewrites.rules"])
    assert (before, after) == tuple([[{"name": "x-site", "value": value}]] for value in ("first", "second"))
    assert told["sessions"]["closed"] == 0
