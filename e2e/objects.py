"""Kubernetes objects as dictionaries, with what the tests don't care about left out."""

import base64
import subprocess
import tempfile
from pathlib import Path


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


def certificate(*names):
    """A self-signed certificate and its key for these DNS names, in PEM."""
    with tempfile.TemporaryDirectory() as directory:
        crt, key = Path(directory) / "crt", Path(directory) / "key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-days", "2", "-subj", f"/CN={names[0]}", "-keyout", key, "-out", crt]
            + ["-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)],
            check=True,
            capture_output=True,
        )
        return crt.read_text(), key.read_text()


def tls_secret(name, crt, key):
    data = {"tls.crt": crt, "tls.key": key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name},
        "data": {field: base64.b64encode(value.encode()).decode() for field, value in data.items()},
    }
