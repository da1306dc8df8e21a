"""Where one cluster keeps its files, and the addresses it uses.

Clusters have a network of their own each, so all of them use the same addresses.
"""

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CLUSTERS = REPOSITORY / "target/cluster"
BIN = CLUSTERS / "bin"
PAUSE_ARCHIVE = REPOSITORY / "target/image/pause.tar"

NODE = "node"
NODE_ADDRESS = "10.89.0.2"
API_SERVER = f"{NODE_ADDRESS}:6443"
POD_SUBNET = "10.244.0.0/16"
SERVICE_SUBNET = "10.96.0.0/16"
PAUSE_IMAGE = "registry.k8s.io/pause:3.10.1"

# Folders of the machine that the components insist on. The cluster sees its own in their place.
PRIVATE_FOLDERS = [
    "/etc/cni", "/etc/kubernetes", "/opt/cni", "/run/containerd", "/run/netns", "/var/lib/cni",
    "/var/lib/containerd", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods",
]


@dataclass(frozen=True)
class Layout:
    """The files of the cluster of that name."""

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", self.name) or self.name == BIN.name:
            raise ValueError(f"not a name for a cluster: {self.name!r} (lower case, digits, '-'; not {BIN.name!r})")

    @property
    def state(self) -> Path:
        return CLUSTERS / self.name

    @property
    def lock(self) -> Path:
        """Held by whoever starts or ends the cluster; outlives the state."""
        return CLUSTERS / f".{self.name}.lock"

    @property
    def logs(self) -> Path:
        """One file a component; kept when the cluster ends."""
        return self.state / "log"

    @property
    def process(self) -> Path:
        """Identity of the first process: pid and start time, as the machine sees them."""
        return self.state / "process"

    @property
    def configuration(self) -> Path:
        return self.state / "configuration"

    @property
    def audit_log(self) -> Path:
        """Every request to the API server, one JSON object a line."""
        return self.state / "audit.log"

    @property
    def kubeconfig(self) -> Path:
        return self.private("/etc/kubernetes") / "admin.conf"

    def private(self, folder: str) -> Path:
        """What the cluster sees in place of that folder of the machine."""
        return self.state / "folders" / folder.strip("/").replace("/", "-")
