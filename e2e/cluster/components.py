"""The components of a Kubernetes node and control plane: command line, configuration files and sign of health of each."""

import json
from dataclasses import dataclass
from pathlib import Path

from certificates import PKI
from layout import API_SERVER, BIN, NODE, NODE_ADDRESS, PAUSE_IMAGE, POD_SUBNET, SERVICE_SUBNET, Layout

CONTAINERD_SOCKET = "/run/containerd/containerd.sock"


@dataclass(frozen=True)
class Component:
    """One process. It is ready when `health`, an URL or the path of a socket, answers."""

    name: str
    health: str
    arguments: list[str]

    @property
    def command(self) -> list[str]:
        return [str(BIN / self.name), *self.arguments]


def all_components(layout: Layout) -> dict[str, Component]:
    """All of them, in the order in which they need each other."""
    folder = layout.configuration
    components = [
        Component("containerd", CONTAINERD_SOCKET, [f"--config={folder}/containerd.toml"]),
        Component("etcd", "http://127.0.0.1:2381/health", flags({
            "name": NODE,
            "data-dir": layout.state / "etcd",
            "unsafe-no-fsync": "true",  # its data does not outlive the machine anyway
            "listen-client-urls": "https://127.0.0.1:2379",
            "advertise-client-urls": "https://127.0.0.1:2379",
            "listen-peer-urls": "https://127.0.0.1:2380",
            "initial-advertise-peer-urls": "https://127.0.0.1:2380",
            "initial-cluster": f"{NODE}=https://127.0.0.1:2380",
            "listen-metrics-urls": "http://127.0.0.1:2381",
            "client-cert-auth": "true",
            "peer-client-cert-auth": "true",
            "cert-file": PKI / "etcd/server.crt",
            "key-file": PKI / "etcd/server.key",
            "trusted-ca-file": PKI / "etcd/ca.crt",
            "peer-cert-file": PKI / "etcd/peer.crt",
            "peer-key-file": PKI / "etcd/peer.key",
            "peer-trusted-ca-file": PKI / "etcd/ca.crt",
        })),
        Component("kube-apiserver", f"https://{API_SERVER}/readyz", flags({
            "advertise-address": NODE_ADDRESS,
            "allow-privileged": "true",
            "audit-policy-file": folder / "audit-policy.yaml",
            "audit-log-path": layout.audit_log,
            "authorization-mode": "Node,RBAC",
            "client-ca-file": PKI / "ca.crt",
            "enable-admission-plugins": "NodeRestriction",
            "etcd-servers": "https://127.0.0.1:2379",
            "etcd-cafile": PKI / "etcd/ca.crt",
            "etcd-certfile": PKI / "apiserver-etcd-client.crt",
            "etcd-keyfile": PKI / "apiserver-etcd-client.key",
            "kubelet-client-certificate": PKI / "apiserver-kubelet-client.crt",
            "kubelet-client-key": PKI / "apiserver-kubelet-client.key",
            "kubelet-preferred-address-types": "InternalIP",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": PKI / "sa.pub",
            "service-account-signing-key-file": PKI / "sa.key",
            "service-cluster-ip-range": SERVICE_SUBNET,
            "tls-cert-file": PKI / "apiserver.crt",
            "tls-private-key-file": PKI / "apiserver.key",
        })),
        Component("kube-controller-manager", "https://127.0.0.1:10257/healthz", flags({
            "authentication-kubeconfig": "/etc/kubernetes/controller-manager.conf",
            "authorization-kubeconfig": "/etc/kubernetes/controller-manager.conf",
            "kubeconfig": "/etc/kubernetes/controller-manager.conf",
            "bind-address": "127.0.0.1",
            "client-ca-file": PKI / "ca.crt",
            "cluster-signing-cert-file": PKI / "ca.crt",
            "cluster-signing-key-file": PKI / "ca.key",
            "leader-elect": "false",  # or it would exit when tests stop the API server
            "root-ca-file": PKI / "ca.crt",
            "service-account-private-key-file": PKI / "sa.key",
            "use-service-account-credentials": "true",
        })),
        Component("kube-scheduler", "https://127.0.0.1:10259/healthz", flags({
            "authentication-kubeconfig": "/etc/kubernetes/scheduler.conf",
            "authorization-kubeconfig": "/etc/kubernetes/scheduler.conf",
            "kubeconfig": "/etc/kubernetes/scheduler.conf",
            "bind-address": "127.0.0.1",
            "leader-elect": "false",
        })),
        Component("kubelet", "http://127.0.0.1:10248/healthz", flags({
            "config": folder / "kubelet.yaml",
            "kubeconfig": "/etc/kubernetes/kubelet.conf",
            "hostname-override": NODE,
            "node-ip": NODE_ADDRESS,
        })),
        Component("kube-proxy", "http://127.0.0.1:10256/livez", flags({"config": folder / "kube-proxy.yaml"})),
    ]
    return {component.name: component for component in components}


def flags(values: dict[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]


def configure(layout: Layout) -> None:
    """Writes their configuration files."""
    folder = layout.configuration
    write(folder / "audit-policy.yaml", {
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    })
    write(folder / "kube-proxy.yaml", {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": "/etc/kubernetes/kube-proxy.conf"},
        "clusterCIDR": POD_SUBNET,
        "conntrack": {"maxPerCore": 0, "min": 0},
        "hostnameOverride": NODE,
        "mode": "nftables",
        "nftables": {"minSyncPeriod": "100ms"},
    })
    write(folder / "kubelet.yaml", {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                           "x509": {"clientCAFile": str(PKI / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "maxPods": 250,
        "syncFrequency": "5s",
        "nodeStatusUpdateFrequency": "2s",
        "resolvConf": "",
        "volumePluginDir": "/var/lib/kubelet/plugins",
        # The machine's disk and memory are not the cluster's to judge, and images can't be pulled again.
        "evictionHard": {name: "0%" for name in ["memory.available", "nodefs.available", "nodefs.inodesFree",
                                                 "imagefs.available", "imagefs.inodesFree"]},
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        # Machines differ in what they allow with cgroups; limits of containers work on all.
        "cgroupDriver": "cgroupfs", "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [], "failCgroupV1": False,
    })
    write(Path("/etc/cni/net.d/10-bridge.conflist"), {
        "cniVersion": "1.0.0", "name": "bridge",
        "plugins": [
            {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True,
             "ipMasq": True, "ipMasqBackend": "nftables",
             "ipam": {"type": "host-local", "ranges": [[{"subnet": POD_SUBNET}]], "routes": [{"dst": "0.0.0.0/0"}]}},
            {"type": "portmap", "backend": "nftables", "capabilities": {"portMappings": True}},
        ],
    })
    (folder / "containerd.toml").write_text(f"""\
version = 3
disabled_plugins = ["io.containerd.nri.v1.nri"]

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true  # machines without CAP_SYS_RESOURCE
enable_unprivileged_ports = false  # what kubelets of other runtimes do: a pod has to ask for low ports

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{BIN}"]
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{BIN}/runc"
""")


def write(path: Path, document: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2))  # JSON is YAML
