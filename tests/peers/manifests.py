"""Kubernetes objects as tests write them: the least that each kind needs."""


def service(name, *ports, ready=True):
    """A Service, and an EndpointSlice for each backend: one a port of this machine."""
    objects = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"ports": [{"name": "http", "port": 80}]},
        }
    ]
    for number, port in enumerate(ports):
        objects.append(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": f"{name}-{number}",
                    "namespace": "default",
                    "labels": {"kubernetes.io/service-name": name},
                },
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": port}],
                "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}}],
            }
        )
    return objects


def external_service(name, host, port):
    """A Service that is a DNS name."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"type": "ExternalName", "externalName": host, "ports": [{"name": "http", "port": port}]},
        }
    ]


def ingress(name, paths, host=None, secret=None, annotations=None, path_type="Prefix"):
    """An Ingress: `paths` maps a path to the name of a Service."""
    rule = {
        "http": {
            "paths": [
                {"path": path, "pathType": path_type, "backend": {"service": {"name": to, "port": {"name": "http"}}}}
                for path, to in paths.items()
            ]
        }
    }
    if host:
        rule["host"] = host
    spec = {"rules": [rule]}
    if secret:
        spec["tls"] = [{"secretName": secret} | ({"hosts": [host]} if host else {})]
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
            "spec": spec,
        }
    ]


def secret(name, certificate):
    """A kubernetes.io/tls Secret."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": "default"},
            "stringData": {"tls.crt": certificate.crt, "tls.key": certificate.key},
        }
    ]


def application_gateway(name, port, *, settings=None, probe=None, hosts=None):
    """An ApplicationGateway with one HTTP listener on port 80 and one Basic rule, to one backend of this machine."""
    http_settings = {"name": "settings", "port": port, "protocol": "Http"} | (settings or {})
    spec = {
        "frontendPorts": [{"name": "port80", "port": 80}],
        "httpListeners": [
            {"name": "http", "frontendPort": {"name": "port80"}, "protocol": "Http"}
            | ({"hostNames": hosts} if hosts else {})
        ],
        "backendAddressPools": [{"name": "servers", "backendAddresses": [{"ipAddress": "127.0.0.1"}]}],
        "backendHttpSettingsCollection": [http_settings],
        "requestRoutingRules": [
            {
                "name": "rule",
                "ruleType": "Basic",
                "priority": 10,
                "httpListener": {"name": "http"},
                "backendAddressPool": {"name": "servers"},
                "backendHttpSettings": {"name": "settings"},
            }
        ],
    }
    if probe:
        spec["probes"] = [{"name": "probe", "protocol": "Http", "host": "localhost"} | probe]
        http_settings["probe"] = {"name": "probe"}
    return [
        {
            "apiVersion": "steadygate.io/v1alpha1",
            "kind": "ApplicationGateway",
            "metadata": {"name": name, "namespace": "default"},
            "spec": spec,
        }
    ]


def secure_gateway(name, port, *listeners, certificate="tls", probe=None, **lists):
    """An ApplicationGateway of listeners over TLS on port 443 that lead to one backend of this machine.

    Each listener is a dict of what `httpListeners` takes besides: `hostName` at the least. `lists` are added as they are, and win.
    """
    references = {"backendAddressPool": {"name": "servers"}, "backendHttpSettings": {"name": "settings"}}
    spec = {
        "frontendPorts": [{"name": "https", "port": 443}],
        "sslCertificates": [{"name": "c", "secretRef": {"name": certificate}}],
        "httpListeners": [
            {"name": f"l{number}", "frontendPort": {"name": "https"}, "protocol": "Https", "sslCertificate": {"name": "c"}}
            | listener
            for number, listener in enumerate(listeners)
        ],
        "backendAddressPools": [{"name": "servers", "backendAddresses": [{"ipAddress": "127.0.0.1"}]}],
        "backendHttpSettingsCollection": [{"name": "settings", "port": port, "protocol": "Http"}],
        "requestRoutingRules": [
            {"name": f"r{number}", "ruleType": "Basic", "priority": number + 1, "httpListener": {"name": f"l{number}"}}
            | references
            for number, _ in enumerate(listeners)
        ],
    }
    if probe:
        spec["probes"] = [{"name": "probe", "protocol": "Http", "host": "localhost"} | probe]
        spec["backendHttpSettingsCollection"][0]["probe"] = {"name": "probe"}
    return [
        {
            "apiVersion": "steadygate.io/v1alpha1",
            "kind": "ApplicationGateway",
            "metadata": {"name": name, "namespace": "default"},
            "spec": spec | lists,
        }
    ]


def stream_gateway(name, *listeners, certificates=(), **lists):
    """An ApplicationGateway of streams. Each listener is a dict: `port`, `service`, `settings`, and what else `listeners` takes.

    A pool leads to the Service's port `http`; `lists` are added as they are, and win.
    """
    spec = {
        "frontendPorts": [{"name": str(port), "port": port} for port in sorted({each["port"] for each in listeners})],
        "sslCertificates": [{"name": secret, "secretRef": {"name": secret}} for secret in certificates],
        "listeners": [],
        "backendSettingsCollection": [],
        "backendAddressPools": [],
        "routingRules": [],
    }
    for number, listener in enumerate(listeners):
        each = f"stream-{number}"
        own = {key: value for key, value in listener.items() if key not in ("port", "service", "settings")}
        settings = {"name": each, "port": 80, "protocol": "Tcp"} | listener.get("settings", {})
        pool = {"name": each, "serviceRef": {"name": listener["service"], "port": "http"}}
        spec["listeners"].append({"name": each, "protocol": "Tcp", "frontendPort": {"name": str(listener["port"])}} | own)
        spec["backendSettingsCollection"].append(settings)
        spec["backendAddressPools"].append(pool)
        references = {key: {"name": each} for key in ("listener", "backendAddressPool", "backendSettings")}
        spec["routingRules"].append({"name": each, "ruleType": "Basic", "priority": number + 1} | references)
    return [
        {
            "apiVersion": "steadygate.io/v1alpha1",
            "kind": "ApplicationGateway",
            "metadata": {"name": name, "namespace": "default"},
            "spec": spec | lists,
        }
    ]
