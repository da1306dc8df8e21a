"""Envoy, as https://www.envoyproxy.io/docs/envoy/latest/configuration/best_practices/edge advises, configured by xDS files that
are replaced by a rename, the way of …/start/quick-start/configuration-dynamic-filesystem.

Of the edge's limits that of streams is taken over, and those of buffers and windows are not: they cost Envoy four times the
CPU for 64 KiB over HTTP/2. Circuit breakers, which stop at 1,024 connections, are opened; time limits of streams are off, as the
FAQ has it for WebSocket.
"""

import json

from peers import HEADER, HOST, KIND, MAP, OTHER, PATTERNS, REDIRECT, TARGET, TOKEN, URL, Peer, path
from tokens import AUDIENCE, ISSUER

TYPE = "type.googleapis.com/envoy."
MANAGER = TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
TCP_PROXY = TYPE + "extensions.filters.network.tcp_proxy.v3.TcpProxy"
JWT = TYPE + "extensions.filters.http.jwt_authn.v3."
ROUTER = {"name": "envoy.filters.http.router", "typed_config": {"@type": TYPE + "extensions.filters.http.router.v3.Router"}}


class Envoy(Peer):
    name = "envoy"
    arguments = ()
    inline = False
    has_tokens = True

    def configure(self, revision):
        self._resources("rds", [self._routes(revision)])
        self._resources("lds", self._listeners(revision))
        self.write("bootstrap.json", json.dumps({
            "node": {"id": "bench", "cluster": "bench"},
            "dynamic_resources": {"lds_config": self._source("lds")},
            "static_resources": {"clusters": [self._cluster()]},
        }))  # fmt: skip

    def command(self):
        return [
            self.tools.bin / "venv/bin/envoy", "-c", self.directory / "bootstrap.json", "--concurrency", 1,
            "--disable-hot-restart", "--log-level", "warn", *self.arguments,
        ]  # fmt: skip

    def change(self, revision):
        if self.inline:
            self._resources("lds", self._listeners(revision))
        else:
            self._resources("rds", [self._routes(revision)])

    @classmethod
    def version(cls, tools):
        return [tools.bin / "venv/bin/envoy", "--version"]

    # Resources

    def _resources(self, kind, resources):
        self.write(f"{kind}.json", json.dumps({"resources": resources}))

    def _source(self, kind):
        return {"resource_api_version": "V3", "path_config_source": {"path": str(self.directory / f"{kind}.json")}}

    def _routes(self, revision):
        routes = [(HOST, "/"), (OTHER, path(revision)), *self.site.more()]
        hosts = [virtual_host(host, forward(prefix)) for host, prefix in routes]
        return {
            "@type": TYPE + "config.route.v3.RouteConfiguration",
            "name": "routes",
            "virtual_hosts": [*hosts, *self._more()],
        }

    def _more(self):
        """Further virtual hosts."""
        return []

    def _filters(self):
        return [ROUTER]

    def _listeners(self, revision):
        return [
            self._listener("http", self.site.http, revision),
            self._listener("https", self.site.https, revision),
            self._stream("tcp", self.site.tcp),
            self._stream("tls", self.site.tls),
        ]

    def _stream(self, name, port):
        proxy = {"@type": TCP_PROXY, "stat_prefix": name, "cluster": "backend", "idle_timeout": "3600s"}
        chain = {"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}
        return {
            "@type": TYPE + "config.listener.v3.Listener",
            "name": name,
            "address": address(port),
            "filter_chains": [chain | (self._tls([]) if name == "tls" else {})],
        }

    def _listener(self, name, port, revision):
        manager = {
            "@type": MANAGER,
            "stat_prefix": name,
            "use_remote_address": True,
            "normalize_path": True,
            "merge_slashes": True,
            "common_http_protocol_options": {"idle_timeout": "3600s"},
            "stream_idle_timeout": "0s",
            "http2_protocol_options": {"max_concurrent_streams": 100},
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "http_filters": self._filters(),
        }
        if self.inline:
            manager["route_config"] = {key: of for key, of in self._routes(revision).items() if key != "@type"}
        else:
            manager["rds"] = {"route_config_name": "routes", "config_source": self._source("rds")}
        chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        return {
            "@type": TYPE + "config.listener.v3.Listener",
            "name": name,
            "address": address(port),
            "filter_chains": [chain | (self._tls(["h2", "http/1.1"]) if name == "https" else {})],
        }

    def _tls(self, protocols):
        files = {"certificate_chain": "server.pem", "private_key": "server.key"}
        certificate = {part: {"filename": str(self.tools.certificates / file)} for part, file in files.items()}
        context = {
            "@type": TYPE + "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificates": [certificate], "alpn_protocols": protocols},
        }
        return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context}}

    def _cluster(self):
        many = {of: 100_000 for of in ("max_connections", "max_pending_requests", "max_requests")}
        endpoint = {"endpoint": {"address": address(self.site.backend)}}
        return {
            "name": "backend",
            "type": "STATIC",
            "connect_timeout": "5s",
            "circuit_breakers": {"thresholds": [many]},
            "load_assignment": {"cluster_name": "backend", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }


class EnvoyInline(Envoy):
    """Routes are part of the listener, which is drained when they change; of the ten minutes that Envoy gives, ten seconds."""

    name = "envoy, routes inline, drain 10 s"
    arguments = ("--drain-time-s", 10)
    inline = True


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def virtual_host(host, *routes, **more):
    return {"name": host, "domains": [host], "routes": [*routes]} | more


def forward(prefix, match=None, **action):
    return {"match": {"prefix": prefix} | (match or {}), "route": {"cluster": "backend", "timeout": "0s"} | action}


class EnvoyPolicies(Envoy):
    """As …/api-v3/config/route/v3/route_components.proto and …/configuration/http/http_filters/jwt_authn_filter have it."""

    def _more(self):
        redirect = {"host_redirect": TARGET, "https_redirect": True, "response_code": "FOUND"}
        kind = {"headers": [{"name": "x-kind", "string_match": {"safe_regex": {"regex": KIND}}}]}
        added = {"header": {"key": "X-Group", "value": "mobile"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        rewrite = {"pattern": {"regex": "^/old/(.*)$"}, "substitution": "/\\1"}
        asked = {"@type": JWT + "PerRouteConfig", "requirement_name": "bench"}
        return [
            virtual_host(REDIRECT, {"match": {"prefix": "/"}, "redirect": redirect}),
            virtual_host(HEADER, forward("/", kind) | {"request_headers_to_add": [added]}, forward("/")),
            virtual_host(URL, forward("/", regex_rewrite=rewrite)),
            virtual_host(MAP, *map(forward, PATTERNS)),
            virtual_host(TOKEN, forward("/"), typed_per_filter_config={"envoy.filters.http.jwt_authn": asked}),
        ]

    def _filters(self):
        """Tokens that were verified are kept, as they are here."""
        provider = {
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "forward": True,
            "local_jwks": {"filename": str(self.tools.certificates / "token.jwks")},
            "jwt_cache_config": {"jwt_cache_size": 100},
        }
        tokens = {
            "@type": JWT + "JwtAuthentication",
            "providers": {"bench": provider},
            "requirement_map": {"bench": {"provider_name": "bench"}},
        }
        return [{"name": "envoy.filters.http.jwt_authn", "typed_config": tokens}, ROUTER]
