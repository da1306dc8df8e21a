"""Objects that many tests apply, as Python dictionaries; they name no namespace."""

import os

from kubernetes import Object

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


def service(name: str, kind: str = "ClusterIP", port: int = 80) -> Object:
    """A Service for the pods of the deployment of that name."""
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"type": kind, "selector": {"app": name},
                 "ports": [{"name": "http", "port": port, "targetPort": "http"}]},
    }
