"""Kubernetes objects as these tests write them. Each test has a namespace, and hosts under its name."""


def ingress_class(name, controller):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": name},
        "spec": {"controller": controller},
    }


def namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def service(namespace, name, *addresses):
    """A Service, and an EndpointSlice of these (address, port)s, all of the same port."""
    labels = {"kubernetes.io/service-name": name}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"ports": [{"name": "http", "port": 80}], "clusterIP": "None"},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": addresses[0][1] if addresses else 80}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address, _ in addresses],
        },
    ]


def ingress(namespace, name, host, to="app", secret=None, ingress_class="steadygate"):
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": to, "port": {"name": "http"}}}}
    spec = {"ingressClassName": ingress_class, "rules": [{"host": host, "http": {"paths": [path]}}]}
    if secret:
        spec["tls"] = [{"hosts": [host], "secretName": secret}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def gateway_class(name, controller):
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": name},
        "spec": {"controllerName": controller},
    }


def gateway(namespace, name, host, gateway_class="steadygate"):
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "gatewayClassName": gateway_class,
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP", "hostname": host}],
        },
    }


def http_route(namespace, name, parent, host, to="app"):
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": parent}],
            "hostnames": [host],
            "rules": [{"backendRefs": [{"name": to, "port": 80}]}],
        },
    }


def secret(namespace, name, certificate):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"tls.crt": certificate.crt, "tls.key": certificate.key},
    }


def application_gateway(namespace, name, host, to="app"):
    return {
        "apiVersion": "steadygate.io/v1alpha1",
        "kind": "ApplicationGateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "ingressClassName": "steadygate",
            "frontendPorts": [{"name": "port80", "port": 80}],
            "httpListeners": [
                {"name": "http", "frontendPort": {"name": "port80"}, "protocol": "Http", "hostName": host}
            ],
            "backendAddressPools": [{"name": "pool", "serviceRef": {"name": to, "port": "http"}}],
            "backendHttpSettingsCollection": [{"name": "settings", "port": 80, "protocol": "Http"}],
            "requestRoutingRules": [
                {
                    "name": "rule",
                    "ruleType": "Basic",
                    "priority": 10,
                    "httpListener": {"name": "http"},
                    "backendAddressPool": {"name": "pool"},
                    "backendHttpSettings": {"name": "settings"},
                }
            ],
        },
    }
