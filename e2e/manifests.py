"""Objects that many tests apply, as Python dictionaries; they name no namespace."""

import base64
import os

from kubernetes import Namespace, Object

# What Pod Security's level `restricted` asks for, and a root file system that nobody writes to.
RESTRICTED_POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
RESTRICTED_CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True}


def backend_deployment(name: str, replicas: int = 2, arguments: list[str] | None = None, port: int = 8080,
                       sysctls: list[Object] | None = None) -> Object:
    """Pods of e2e/backend, which serve HTTP at `port`, under the rules of level `restricted`."""
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": 20,
                    "securityContext": {**RESTRICTED_POD, "sysctls": sysctls or []},
                    "containers": [{
                        "name": "backend",
                        "image": os.environ["BACKEND_IMAGE"],
                        "args": [f"-http=:{port}", *(arguments or [])],
                        "env": [{"name": variable, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.{field}"}}}
                                for variable, field in [("POD_NAME", "name"), ("POD_NAMESPACE", "namespace")]],
                        "ports": [{"name": "http", "containerPort": port}],
                        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1},
                        "securityContext": RESTRICTED_CONTAINER,
                    }],
                },
            },
        },
    }


def deploy(namespace: Namespace, *names: str, replicas: int = 1, on_term: str = "exit") -> None:
    """Backends, each behind a Service of its own name, and returns when they are ready.

    They stop as `on_term` says, and not before the word has gone round, as is the custom of well-kept deployments; with
    `exit`, at once.
    """
    arguments = [f"-on-term={on_term}"]
    for name in names:
        deployment = backend_deployment(name, replicas, arguments)
        if on_term != "exit":
            deployment["spec"]["template"]["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 1}}}
        namespace.apply(deployment, service(name))
    for name in names:
        namespace.wait_rolled_out(name)


def service(name: str, kind: str = "ClusterIP", port: int = 80) -> Object:
    """A Service for the pods of the deployment of that name."""
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"type": kind, "selector": {"app": name},
                 "ports": [{"name": "http", "port": port, "targetPort": "http"}]},
    }


def path(path, service, kind="Prefix", port=80):
    return {"path": path, "pathType": kind, "backend": {"service": {"name": service, "port": {"number": port}}}}


def rule(host, *paths):
    return {**({"host": host} if host else {}), "http": {"paths": list(paths)}}


def ingress(name, *rules, cls="steadygate", tls=(), default=None, annotations=None):
    spec = {"rules": list(rules)} if rules else {}
    if cls:
        spec["ingressClassName"] = cls
    if tls:
        spec["tls"] = [{"hosts": list(hosts), "secretName": secret} for secret, hosts in tls]
    if default:
        spec["defaultBackend"] = {"service": {"name": default, "port": {"number": 80}}}
    metadata = {"name": name, **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}


def ingress_class(name, controller="steadygate.io/ingress-controller", default=False):
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"controller": controller},
    }


def gateway(name, service, hosts, port=80, probe=None, cls="steadygate"):
    """One Basic rule on port 80: the pods behind a Service, with a probe of its own or none."""
    settings = {"name": "settings", "port": port, "protocol": "Http", "requestTimeout": 30}
    spec = {
        "ingressClassName": cls,
        "frontendPorts": [{"name": "http", "port": 80}],
        "httpListeners": [{"name": "http", "frontendPort": {"name": "http"}, "protocol": "Http", "hostNames": hosts}],
        "backendAddressPools": [{"name": "pods", "serviceRef": {"name": service, "port": port}}],
        "backendHttpSettingsCollection": [settings],
        "requestRoutingRules": [
            {
                "name": "all",
                "ruleType": "Basic",
                "priority": 10,
                "httpListener": {"name": "http"},
                "backendAddressPool": {"name": "pods"},
                "backendHttpSettings": {"name": "settings"},
            }
        ],
    }
    if probe:
        spec["probes"] = [{"name": "probe", "protocol": "Http", **probe}]
        settings["probe"] = {"name": "probe"}
    return {
        "apiVersion": "steadygate.io/v1alpha1",
        "kind": "ApplicationGateway",
        "metadata": {"name": name},
        "spec": spec,
    }


def tls_secret(name, crt, key):
    data = {"tls.crt": crt, "tls.key": key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name},
        "data": {field: base64.b64encode(value.encode()).decode() for field, value in data.items()},
    }
