"""nginx, as https://nginx.org/en/docs/http/websocket.html, …/ngx_http_upstream_module.html#keepalive and
…/configuring_https_servers.html advise; limits raised so that neither sessions nor requests of a connection run out."""

import os
import signal

from peers import HEADER, HOST, KIND, MAP, OTHER, PATTERNS, REDIRECT, SESSIONS, TARGET, URL, Peer, path

CONFIGURATION = """\
worker_processes 1;
worker_rlimit_nofile {files};
{shutdown}
daemon off;
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    server_tokens off;
    keepalive_requests 1000000;
    keepalive_timeout 1h;
    # Answers stay in memory, also those of 64 KiB.
    proxy_buffers 8 16k;
    proxy_max_temp_file_size 0;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;

    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream backend {{ server 127.0.0.1:{backend}; keepalive 64; keepalive_requests 1000000; }}
    proxy_http_version 1.1;
    {headers}
    proxy_read_timeout 1h;
    proxy_send_timeout 1h;

    ssl_session_cache shared:SSL:10m;
    http2 on;
    server_names_hash_max_size {names};
    server_names_hash_bucket_size 128;

    server {{ listen 127.0.0.1:{http} default_server; {tls} return 404; }}
    {servers}
    {more}
}}
"""
# A server that sets one more has to set them all.
HEADERS = """\
proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;"""
SERVER = "server {{ listen 127.0.0.1:{http}; {tls} server_name {host}; location {path} {{ proxy_pass http://backend; }} }}\n"
TLS = "listen 127.0.0.1:{https} ssl; ssl_certificate {certificates}/server.pem; ssl_certificate_key {certificates}/server.key;"


class Nginx(Peer):
    name = "nginx"
    shutdown = ""
    has_tokens = False

    def configure(self, revision):
        site = self.site
        routes = [(HOST, "/"), (OTHER, path(revision)), *site.more()]
        # `HOST` alone has a certificate: each server with one has a TLS context of its own, which is heavy.
        tls = TLS.format(https=site.https, certificates=self.tools.certificates)
        servers = (SERVER.format(http=site.http, tls=tls * (host == HOST), host=host, path=at) for host, at in routes)
        self.write("nginx.conf", CONFIGURATION.format(
            files=2 * SESSIONS + 500, connections=2 * SESSIONS + 300, shutdown=self.shutdown, directory=self.directory,
            tls=tls, names=max(512, 2 * len(routes)), backend=site.backend,
            http=site.http, servers="    ".join(servers), more=self.more(), headers=HEADERS,
        ))  # fmt: skip

    def more(self):
        """Further servers."""
        return ""

    def command(self):
        return [self.tools.bin / "nginx/nginx", "-e", self.directory / "error.log", "-c", self.directory / "nginx.conf"]

    def change(self, revision):
        self.configure(revision)
        os.kill(self.process.pid, signal.SIGHUP)

    @classmethod
    def version(cls, tools):
        return [tools.bin / "nginx/nginx", "-v"]


class NginxShutdown(Nginx):
    """Old workers are ended; ingress-nginx gives them 240 s, where nginx itself gives them all the time."""

    name = "nginx, worker_shutdown_timeout 10 s"
    shutdown = "worker_shutdown_timeout 10s;"


class NginxPolicies(Nginx):
    def more(self):
        """As …/ngx_http_rewrite_module.html and …/ngx_http_map_module.html advise."""
        proxied = "proxy_pass http://backend;"
        paths = " ".join(f"location {at} {{ {proxied} }}" for at in PATTERNS)
        servers = {
            REDIRECT: f"return 302 https://{TARGET}$request_uri;",
            HEADER: f"proxy_set_header X-Group $group; {HEADERS} location / {{ {proxied} }}",
            URL: f"location / {{ rewrite ^/old/(.*)$ /$1 break; {proxied} }}",
            MAP: paths,
        }
        told = (f"server {{ listen 127.0.0.1:{self.site.http}; server_name {host}; {does} }}" for host, does in servers.items())
        return "\n    ".join([f"map $http_x_kind $group {{ default ''; '~{KIND}' mobile; }}", *told])
