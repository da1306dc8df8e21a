"""Controllers in a real cluster: the program in the cluster's network, watching its API server; each run has a namespace."""

import contextlib
import http.client
import itertools
import json
import os

from machine import LOAD_CORE, Failed, Process, free_port, wait_for
from peers import HOST, OTHER, Peer, path

NODE = "10.89.0.2"
SERIAL = itertools.count()
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/{}/ingresses"


class Api:
    """The API server, through kubectl's proxy."""

    def __init__(self, directory):
        port = free_port()
        self.proxy = Process([os.environ["KUBECTL"], "proxy", "--port", port], LOAD_CORE, directory / "kubectl.log")
        wait_for(lambda: "Starting to serve" in self.proxy.tail() or not self.proxy.alive(), "kubectl proxy")
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def __call__(self, method, at, body=None):
        self.connection.request(method, at, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        said = json.loads(answer.read() or "{}")
        if answer.status >= 400 and answer.status != 409:
            raise Failed(f"{method} {at}: {answer.status} {said.get('message', '')}")
        return said


class InCluster(Peer):
    """What both have in common: the objects, made through the API."""

    backend_address = NODE
    controller = ""

    def __init__(self, tools, directory, site):
        super().__init__(tools, directory, site)
        self.short = self.name.split(",")[0]
        self.namespace = f"bench-{self.short}-{next(SERIAL)}"
        self.api, self.ingresses = Api(directory), INGRESSES.format(self.namespace)

    def configure(self, revision):
        port = {"name": "http", "port": self.site.backend}
        self.api("POST", "/apis/networking.k8s.io/v1/ingressclasses",
                 {"metadata": {"name": self.short}, "spec": {"controller": self.controller}})  # fmt: skip
        self.api("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        self.api("POST", f"/api/v1/namespaces/{self.namespace}/services",
                 {"metadata": {"name": "backend"}, "spec": {"ports": [port]}})  # fmt: skip
        self.api("POST", f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices", {
            "metadata": {"name": "backend", "labels": {"kubernetes.io/service-name": "backend"}},
            "addressType": "IPv4", "ports": [port], "endpoints": [{"addresses": [NODE], "conditions": {"ready": True}}],
        })  # fmt: skip
        self.make("bench", HOST, "/")
        self.make("other", OTHER, path(revision))

    def make(self, name, host, at):
        """An Ingress."""
        backend = {"service": {"name": "backend", "port": {"name": "http"}}}
        rule = {"host": host, "http": {"paths": [{"path": at, "pathType": "Prefix", "backend": backend}]}}
        self.api("POST", self.ingresses, {"metadata": {"name": name}, "spec": {"ingressClassName": self.short, "rules": [rule]}})

    def end(self):
        super().end()
        with contextlib.suppress(Failed, OSError):
            self.api("DELETE", f"/api/v1/namespaces/{self.namespace}")
            wait_for(lambda: self._gone(), "the namespace is gone", 120, 0.5)
        self.api.proxy.end()

    def _gone(self):
        return all(each["metadata"]["name"] != self.namespace for each in self.api("GET", "/api/v1/namespaces")["items"])


class Steadygate(InCluster):
    name = "steadygate"
    controller = "steadygate.io/ingress-controller"

    def command(self):
        return [
            self.tools.steadygate, "run", "--workers", 1, "--no-access-log", "--lease", f"{self.namespace}/steadygate",
            "--publish-address", NODE, "--admin", f"127.0.0.1:{free_port()}",
            "--listen", f"80=127.0.0.1:{self.site.http}", "--listen", f"443=127.0.0.1:{self.site.https}",
        ]  # fmt: skip


class Traefik(InCluster):
    """As its chart runs it, with the time that it waits between two changes."""

    name = "traefik"
    controller = "traefik.io/ingress-controller"
    environment = {"GOMAXPROCS": "1"}
    throttle = "2s"

    def command(self):
        return [
            self.tools.bin / "venv/bin/traefik", f"--entryPoints.web.address=127.0.0.1:{self.site.http}",
            "--providers.kubernetesIngress.ingressClass=traefik", f"--providers.kubernetesIngress.ingressEndpoint.ip={NODE}",
            f"--providers.providersThrottleDuration={self.throttle}", "--global.checkNewVersion=false",
            "--global.sendAnonymousUsage=false",
        ]  # fmt: skip


class TraefikQuick(Traefik):
    name = "traefik, throttle 50 ms"
    throttle = "50ms"
