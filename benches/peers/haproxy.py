"""haproxy, as the management guide advises for reloads (master-worker mode) and the configuration manual for maps (`map_beg`
on `base`, as its own ingress controller does it). `maxconn` has room for clients that are idle, and need one open file each: it
may be more than the limit of open files has for proxied sessions, which need two (`no strict-limits`)."""

import os
import signal

from peers import HEADER, HOST, KIND, MAP, OTHER, PATTERNS, REDIRECT, SESSIONS, TARGET, TOKEN, URL, Peer, path
from tokens import AUDIENCE, ISSUER

CONFIGURATION = """\
global
    nbthread 1
    maxconn {connections}
    no strict-limits
    {stop}
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
    timeout http-request 60s
    http-reuse always
    option forwardfor

frontend web
    bind 127.0.0.1:{http}
    bind 127.0.0.1:{https} ssl crt {directory}/server.pem alpn h2,http/1.1
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
    {policies}
    http-request return status 404 unless {{ base,map_beg({directory}/routes.map) -m found }}
    use_backend %[base,map_beg({directory}/routes.map)]

backend backend
    server backend 127.0.0.1:{backend}

listen streams
    mode tcp
    bind 127.0.0.1:{tcp}
    bind 127.0.0.1:{tls} ssl crt {directory}/server.pem
    server backend 127.0.0.1:{backend}
"""


class Haproxy(Peer):
    name = "haproxy"
    stop = ""
    has_tokens = True

    def configure(self, revision):
        certificates, site = self.tools.certificates, self.site
        self.write("server.pem", "".join((certificates / f"server.{end}").read_text() for end in ("pem", "key")))
        routes = [(HOST, "/"), (OTHER, path(revision)), *site.more(), *self.more()]
        self.write("routes.map", "".join(f"{host}{at} backend\n" for host, at in routes))
        self.write("haproxy.cfg", CONFIGURATION.format(
            connections=SESSIONS + 1_000, stop=self.stop, directory=self.directory, backend=site.backend,
            http=site.http, https=site.https, tcp=site.tcp, tls=site.tls, policies=self.policies(),
        ))  # fmt: skip

    def more(self):
        """Further hosts and paths."""
        return []

    def policies(self):
        """Rules for these."""
        return ""

    def command(self):
        return [self.tools.bin / "haproxy/haproxy", "-W", "-f", self.directory / "haproxy.cfg"]

    def change(self, revision):
        self.configure(revision)
        os.kill(self.process.pid, signal.SIGUSR2)

    @classmethod
    def version(cls, tools):
        return [tools.bin / "haproxy/haproxy", "-v"]


class HaproxyStop(Haproxy):
    """Old processes are ended, as many run it, lest they pile up."""

    name = "haproxy, hard-stop-after 10 s"
    stop = "hard-stop-after 10s"


class HaproxyPolicies(Haproxy):
    def more(self):
        return [*((host, "/") for host in (REDIRECT, HEADER, URL, TOKEN)), *((MAP, at) for at in PATTERNS)]

    def policies(self):
        """Of tokens as the manual's `jwt_verify` and the examples beside it advise."""
        on = lambda host: f"{{ req.hdr(host) {host} }}"
        key = self.tools.certificates / "token.pem"
        claims = [("iss", ISSUER), ("aud", AUDIENCE)]
        refuse = "http-request deny deny_status 401 if token"
        rules = [
            f"http-request redirect prefix https://{TARGET} code 302 if {on(REDIRECT)}",
            f"http-request set-header X-Group mobile if {on(HEADER)} {{ req.hdr(x-kind) -m reg {KIND} }}",
            f"http-request replace-path ^/old/(.*)$ /\\1 if {on(URL)}",
            f"acl token req.hdr(host) {TOKEN}",
            "http-request set-var(txn.bearer) http_auth_bearer if token",
            "http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg') if token",
            "http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int') if token",
            "http-request set-var(txn.now) date() if token",
            f"{refuse} !{{ var(txn.alg) -m str RS256 }}",
            *(f"{refuse} !{{ var(txn.bearer),jwt_payload_query('$.{claim}') -m str {value} }}" for claim, value in claims),
            f"{refuse} {{ var(txn.exp),sub(txn.now) -m int lt 0 }}",
            f'{refuse} !{{ var(txn.bearer),jwt_verify(txn.alg,"{key}") -m int 1 }}',
        ]
        return "\n    ".join(rules)
