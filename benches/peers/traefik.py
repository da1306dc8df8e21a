"""Traefik with its file provider, as https://doc.traefik.io/traefik/reference/install-configuration/providers/others/file has it:
a directory that is watched. The time to read a request is unlimited, as for long-lived connections its migration notes say."""

import json

from peers import HEADER, HOST, KIND, MAP, OTHER, PATTERNS, REDIRECT, TARGET, URL, Peer, path


class Traefik(Peer):
    name = "traefik"
    throttle = None
    has_tokens = False
    environment = {"GOMAXPROCS": "1"}

    def configure(self, revision):
        (self.directory / "dynamic").mkdir(exist_ok=True)
        (self.directory / "dynamic.new").mkdir(exist_ok=True)
        tls = {end: str(self.tools.certificates / f"server.{name}") for end, name in (("certFile", "pem"), ("keyFile", "key"))}
        servers = {"servers": [{"url": f"http://127.0.0.1:{self.site.backend}"}]}
        self._dynamic("site", http={"routers": {"bench": router(HOST)}, "services": {"backend": {"loadBalancer": servers}}},
                      tls={"certificates": [tls]})  # fmt: skip
        more = {f"more-{number}": router(host, at, ["web"]) for number, (host, at) in enumerate(self.site.more())}
        if more:
            self._dynamic("more", http={"routers": more})
        self._policies()
        self.change(revision)
        limits = {"transport": {"respondingTimeouts": {"readTimeout": 0}}}
        self.write("traefik.yml", json.dumps({
            "entryPoints": {
                "web": {"address": f"127.0.0.1:{self.site.http}"} | limits,
                "websecure": {"address": f"127.0.0.1:{self.site.https}", "http": {"tls": {}}} | limits,
            },
            "providers": {"file": {"directory": str(self.directory / "dynamic"), "watch": True}}
            | ({"providersThrottleDuration": self.throttle} if self.throttle else {}),
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        }))  # fmt: skip

    def _policies(self):
        """Further files."""

    def command(self):
        return [self.tools.bin / "venv/bin/traefik", f"--configFile={self.directory / 'traefik.yml'}"]

    def change(self, revision):
        self._dynamic("other", http={"routers": {"other": router(OTHER, path(revision))}})

    def _dynamic(self, name, **configuration):
        """JSON is YAML."""
        self.write(f"{name}.yml", json.dumps(configuration)).rename(self.directory / "dynamic" / f"{name}.yml")

    @classmethod
    def version(cls, tools):
        return [tools.bin / "venv/bin/traefik", "version"]


class TraefikPolicies(Traefik):
    """As https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/overview has them."""

    def _policies(self):
        redirect = {"regex": f"^http://{REDIRECT}/(.*)", "replacement": f"https://{TARGET}/${{1}}"}
        middlewares = {
            "redirect": {"redirectRegex": redirect},
            "header": {"headers": {"customRequestHeaders": {"X-Group": "mobile"}}},
            "url": {"replacePathRegex": {"regex": "^/old/(.*)$", "replacement": "/$1"}},
        }
        kind = {"rule": f"Host(`{HEADER}`) && HeaderRegexp(`X-Kind`, `{KIND}`)", "middlewares": ["header"]}
        routers = {
            "redirect": router(REDIRECT) | {"middlewares": ["redirect"]},
            "header": router(HEADER) | kind,
            "header-else": router(HEADER),
            "url": router(URL) | {"middlewares": ["url"]},
        } | {f"map-{number}": router(MAP, at) for number, at in enumerate(PATTERNS)}
        self._dynamic("policies", http={"routers": routers, "middlewares": middlewares})


class TraefikQuick(Traefik):
    """Changes are taken at once, where by default no more than one is in two seconds."""

    name = "traefik, throttle 50 ms"
    throttle = "50ms"


def router(host, prefix="/", entries=("web", "websecure")):
    rule = f"Host(`{host}`)" + (f" && PathPrefix(`{prefix}`)" if prefix != "/" else "")
    return {"rule": rule, "service": "backend", "entryPoints": entries}
