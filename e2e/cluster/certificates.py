"""Certificates and kubeconfigs of a cluster, made by kubeadm under /etc/kubernetes. Called in the cluster's mounts."""

import json
import re
import subprocess
from pathlib import Path

from layout import API_SERVER, BIN, NODE, NODE_ADDRESS, SERVICE_SUBNET, Layout

PKI = Path("/etc/kubernetes/pki")
ALGORITHM = "ECDSA-P256"  # RSA keys would take a second of the start


def create(layout: Layout) -> None:
    """Makes all of them."""
    version = subprocess.run([BIN / "kubelet", "--version"], check=True, capture_output=True, text=True).stdout
    documents = [
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": NODE_ADDRESS},
            "nodeRegistration": {"name": NODE, "criSocket": "unix:///run/containerd/containerd.sock"},
        },
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "kubernetesVersion": re.search(r"v[0-9.]+", version).group(),
            "controlPlaneEndpoint": API_SERVER,
            "networking": {"serviceSubnet": SERVICE_SUBNET},
            "encryptionAlgorithm": ALGORITHM,
        },
    ]
    configuration = layout.configuration / "kubeadm.yaml"
    configuration.write_text("\n---\n".join(json.dumps(document) for document in documents))
    for phase in ["certs", "kubeconfig"]:
        kubeadm("init", "phase", phase, "all", "--config", configuration)
    # In a kubeadm cluster, kube-proxy is a pod with a service account; here it is a process with a certificate.
    proxy = kubeadm("kubeconfig", "user", "--config", configuration, "--client-name", "system:kube-proxy")
    Path("/etc/kubernetes/kube-proxy.conf").write_text(proxy)


def kubeadm(*arguments: object) -> str:
    return subprocess.run([BIN / "kubeadm", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
