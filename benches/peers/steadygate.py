"""Steadygate: a directory of manifests, followed as it is edited."""

import json

from machine import free_port
from peers import HEADER, HOST, KIND, MAP, OTHER, PATTERNS, REDIRECT, TARGET, TOKEN, URL, Peer, path
from tokens import AUDIENCE, ISSUER

# Frontend ports of streams without HTTP.
TCP, TLS = 7000, 7443
STREAMS = {
    "apiVersion": "steadygate.io/v1alpha1",
    "kind": "ApplicationGateway",
    "metadata": {"name": "streams", "namespace": "default"},
    "spec": {
        "frontendPorts": [{"name": "tcp", "port": TCP}, {"name": "tls", "port": TLS}],
        "sslCertificates": [{"name": "tls", "secretRef": {"name": "tls"}}],
        "listeners": [
            {"name": "tcp", "frontendPort": {"name": "tcp"}, "protocol": "Tcp"},
            {"name": "tls", "frontendPort": {"name": "tls"}, "protocol": "Tls", "sslCertificate": {"name": "tls"}},
        ],
        "backendAddressPools": [{"name": "backend", "serviceRef": {"name": "backend", "port": "http"}}],
        "backendSettingsCollection": [{"name": "plain", "port": 80, "protocol": "Tcp"}],
        "routingRules": [
            {"name": name, "listener": {"name": name}, "backendAddressPool": {"name": "backend"}, "backendSettings": {"name": "plain"}}
            for name in ("tcp", "tls")
        ],
    },
}
# A big file holds so many objects.
A_FILE = 10_000


class Steadygate(Peer):
    name = "steadygate"
    has_tokens = True

    def configure(self, revision):
        manifests = self.directory / "manifests"
        manifests.mkdir(exist_ok=True)
        crt, key = ((self.tools.certificates / f"server.{end}").read_text() for end in ("pem", "key"))
        self._apply("site.json", [*service(self.site.backend), secret(crt, key), ingress("bench", HOST, "/", "tls"), STREAMS])
        more = [ingress(f"more-{number}", host, at) for number, (host, at) in enumerate(self.site.more())]
        for first in range(0, len(more), A_FILE):
            self._apply(f"more-{first}.json", more[first : first + A_FILE])
        self.change(revision)

    def command(self):
        return [
            self.tools.steadygate, "run", "--manifests", self.directory / "manifests", "--workers", 1, "--no-access-log",
            "--admin", f"127.0.0.1:{free_port()}",
            "--listen", f"80=127.0.0.1:{self.site.http}", "--listen", f"443=127.0.0.1:{self.site.https}",
            "--listen", f"{TCP}=127.0.0.1:{self.site.tcp}", "--listen", f"{TLS}=127.0.0.1:{self.site.tls}",
        ]  # fmt: skip

    def change(self, revision):
        self._apply("other.json", [ingress("other", OTHER, path(revision))])

    def _apply(self, name, objects):
        self.write(name, "".join(f"---\n{json.dumps(each)}\n" for each in objects)).rename(self.directory / "manifests" / name)

    @classmethod
    def version(cls, tools):
        return [tools.steadygate, "--version"]


class SteadygatePolicies(Steadygate):
    def configure(self, revision):
        super().configure(revision)
        keys = (self.tools.certificates / "token.jwks").read_text()
        named = {"name": "keys", "namespace": "default"}
        annotations = {"jwt-issuer": ISSUER, "jwt-audiences": AUDIENCE, "jwt-jwks-config-map": "keys/jwks"}
        token = ingress("token", TOKEN, "/")
        token["metadata"]["annotations"] |= {f"steadygate.io/{key}": value for key, value in annotations.items()}
        keys = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": {"jwks": keys}}
        self._apply("policies.json", [policies(), token, keys])


def policies():
    """An ApplicationGateway with a listener and a rule for each host."""
    backend = {"backendAddressPool": {"name": "backend"}, "backendHttpSettings": {"name": "plain"}}
    header = {"requestHeaderConfigurations": [{"headerName": "X-Group", "headerValue": "mobile"}]}
    url = {"urlConfiguration": {"modifiedPath": "/{var_uri_path_1}"}}

    def rewrites(name, variable, pattern, actions):
        rule = {"name": name, "conditions": [{"variable": variable, "pattern": pattern}], "actionSet": actions}
        return {"name": name, "rewriteRules": [rule]}

    def rule(name, **target):
        return {"name": name, "ruleType": "Basic", "httpListener": {"name": name}} | target

    hosts = {"redirect": REDIRECT, "header": HEADER, "url": URL, "map": MAP}
    return {
        "apiVersion": "steadygate.io/v1alpha1",
        "kind": "ApplicationGateway",
        "metadata": {"name": "policies", "namespace": "default"},
        "spec": {
            "frontendPorts": [{"name": "http", "port": 80}],
            "httpListeners": [
                {"name": name, "frontendPort": {"name": "http"}, "protocol": "Http", "hostName": host} for name, host in hosts.items()
            ],
            "backendAddressPools": [{"name": "backend", "serviceRef": {"name": "backend", "port": "http"}}],
            "backendHttpSettingsCollection": [{"name": "plain", "port": 80, "protocol": "Http"}],
            "redirectConfigurations": [
                {"name": "away", "redirectType": "Found", "targetUrl": f"https://{TARGET}", "includePath": True, "includeQueryString": True}
            ],
            "rewriteRuleSets": [
                rewrites("header", "http_req_X-Kind", KIND, header),
                rewrites("url", "var_uri_path", "^/old/(.*)$", url),
            ],
            "requestRoutingRules": [
                rule("redirect", redirectConfiguration={"name": "away"}),
                rule("header", rewriteRuleSet={"name": "header"}, **backend),
                rule("url", rewriteRuleSet={"name": "url"}, **backend),
                rule("map", ruleType="PathBasedRouting", urlPathMap={"name": "map"}),
            ],
            "urlPathMaps": [
                {
                    "name": "map",
                    "pathRules": [{"name": f"r{number}", "paths": [f"{at}*"]} | backend for number, at in enumerate(PATTERNS)],
                }
            ],
        },
    }


def service(port):
    """The Service, its EndpointSlice, and the pod, which is probed as its readiness probe says."""
    container = {"ports": [{"name": "http", "containerPort": port}], "readinessProbe": {"httpGet": {"path": "/", "port": "http"}}}
    metadata, port_80 = {"name": "backend", "namespace": "default"}, {"name": "http", "port": 80, "targetPort": "http"}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [port_80]}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata | {"labels": {"kubernetes.io/service-name": "backend"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"], "targetRef": {"kind": "Pod", "name": "backend"}}],
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container | {"name": "backend"}]}},
    ]


def secret(crt, key):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "tls", "namespace": "default"},
        "stringData": {"tls.crt": crt, "tls.key": key},
    }


def ingress(name, host, path, tls=None):
    """An Ingress with one path; its sessions may be idle for as long as they like."""
    backend = {"service": {"name": "backend", "port": {"name": "http"}}}
    rule = {"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default", "annotations": {"steadygate.io/websocket-idle-timeout": "0"}},
        "spec": {"rules": [rule]} | ({"tls": [{"secretName": tls, "hosts": [host]}]} if tls else {}),
    }
