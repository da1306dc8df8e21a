"""Caddy, configured by its native JSON through the admin API, as https://caddyserver.com/docs/api advises."""

import json
import time
import urllib.request

from machine import free_port
from peers import HEADER, HOST, KIND, MAP, OTHER, PATTERNS, REDIRECT, TARGET, URL, Peer, path


class Caddy(Peer):
    name = "caddy"
    handler = {}
    has_tokens = False
    environment = {"GOMAXPROCS": "1"}

    def __init__(self, tools, directory, site):
        super().__init__(tools, directory, site)
        self.admin = free_port()
        self.environment = self.environment | {"HOME": str(directory)}

    def configure(self, revision):
        self.write("caddy.json", json.dumps(self._configuration(revision)))

    def command(self):
        return [self.tools.bin / "venv/bin/caddy", "run", "--config", self.directory / "caddy.json"]

    def change(self, revision):
        body = json.dumps(self._configuration(revision)).encode()
        asked = urllib.request.Request(f"http://127.0.0.1:{self.admin}/load", body, {"Content-Type": "application/json"})
        self.told = time.monotonic()
        urllib.request.urlopen(asked, timeout=60).close()

    @classmethod
    def version(cls, tools):
        return [tools.bin / "venv/bin/caddy", "version"]

    def _configuration(self, revision):
        proxy = {"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{self.site.backend}"}]} | self.handler

        def routes(*more):
            served = [(HOST, "/"), (OTHER, path(revision)), *more]
            matches = ([{"host": [host], "path": [at + "*"]}] for host, at in served)
            not_found = {"handle": [{"handler": "static_response", "status_code": 404}]}
            proxied = ({"match": match, "handle": [proxy], "terminal": True} for match in matches)
            return [*proxied, *self._policies(proxy), not_found]

        server = {"automatic_https": {"disable": True}, "protocols": ["h1", "h2"]}
        files = {end: str(self.tools.certificates / f"server.{name}") for end, name in (("certificate", "pem"), ("key", "key"))}
        return {
            "admin": {"listen": f"127.0.0.1:{self.admin}", "config": {"persist": False}},
            "logging": {"logs": {"default": {"level": "WARN"}}},
            "apps": {
                "http": {
                    "servers": {
                        "http": server | {"listen": [f"127.0.0.1:{self.site.http}"], "routes": routes(*self.site.more())},
                        "https": server
                        | {"listen": [f"127.0.0.1:{self.site.https}"], "routes": routes(), "tls_connection_policies": [{}]},
                    }
                },
                "tls": {"certificates": {"load_files": [files]}},
            },
        }


    def _policies(self, proxy):
        """Further routes."""
        return []


class CaddyPolicies(Caddy):
    """As https://caddyserver.com/docs/json/apps/http/servers/routes has them."""

    def _policies(self, proxy):
        def route(host, *handlers, **match):
            return {"match": [{"host": [host]} | match], "handle": [*handlers], "terminal": True}

        location = {"Location": [f"https://{TARGET}{{http.request.uri}}"]}
        kind = {"X-Kind": {"pattern": KIND}}
        return [
            route(REDIRECT, {"handler": "static_response", "status_code": 302, "headers": location}),
            route(HEADER, {"handler": "headers", "request": {"set": {"X-Group": ["mobile"]}}}, proxy, header_regexp=kind),
            route(HEADER, proxy),
            route(URL, {"handler": "rewrite", "path_regexp": [{"find": "^/old/(.*)$", "replace": "/$1"}]}, proxy),
            *(route(MAP, proxy, path=[at + "*"]) for at in PATTERNS),
        ]


class CaddyDelay(Caddy):
    """Streams outlive a change, for a time that has to be said."""

    name = "caddy, stream_close_delay 1 h"
    handler = {"stream_close_delay": 3_600_000_000_000}
