"""Policies: what a redirect, rewrites, a map of many paths and a token cost, over HTTP/1.1 without TLS.

Every proxy that has the policy by itself is asked for it in its own words; of the others the table has no figure: nginx has no tokens
but in its commercial edition, Traefik and Caddy none but by plugins.
"""

from figures import Metric
from peers import HEADER, HOST, MAP, PATTERNS, REDIRECT, TOKEN, URL, caddy, envoy, haproxy, nginx, steadygate, traefik
from world import none_failed

TITLE = "Policies: CPU a request, 1 KiB, 64 connections"
PEERS = [
    steadygate.SteadygatePolicies, haproxy.HaproxyPolicies, nginx.NginxPolicies, envoy.EnvoyPolicies, traefik.TraefikPolicies,
    caddy.CaddyPolicies,
]  # fmt: skip
# What is asked for, and of which host.
ROWS = {
    "none": (HOST, "/bytes/1024", {}),
    "redirect": (REDIRECT, "/bytes/1024?a=b", {"status": 302}),
    "header": (HEADER, "/bytes/1024", {"header": "X-Kind: mobile-7"}),
    "url": (URL, "/old/bytes/1024", {}),
    "map": (MAP, f"{PATTERNS[-1]}x", {}),
    "token": (TOKEN, "/bytes/1024", {}),
}
METRICS = [
    Metric("none", "no policy", "µs", 2),
    Metric("redirect", "redirect with path and query", "µs", 2),
    Metric("header", "a request header is set if another matches a pattern", "µs", 2),
    Metric("url", "the path is rewritten by a pattern with a capture", "µs", 2),
    Metric("map", f"the last of {len(PATTERNS)} paths; a short answer", "µs", 2),
    Metric("token", "a token (JWT, RS256), the same each time", "µs", 2),
]


def measure(world):
    token = (world.tools.certificates / "token.jwt").read_text()
    for name, (host, path, asked) in ROWS.items():
        if name == "token":
            if not world.peer.has_tokens:
                continue
            # Without one nothing is served.
            none_failed(world.http(world.site.url(path=path), world.seconds(0.1), host=host, status=401)[0])
            asked = {"header": f"Authorization: Bearer {token}"}
        url = world.site.url(path=path)
        none_failed(world.http(url, world.seconds(0.3), host=host, **asked)[0])
        answer, cpu = world.http(url, world.seconds(1.5), host=host, **asked)
        yield name, cpu / none_failed(answer)["requests"] * 1e6
