"""Starting a cluster until pods run in it, ending it, and talking to its supervisor. Runs on the machine."""

import fcntl
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import namespaces
from layout import BIN, NODE, PAUSE_ARCHIVE, PAUSE_IMAGE, Layout

START_TIMEOUT = 120.0


class ClusterError(Exception):
    """Something about the cluster that a person should read."""


def up(layout: Layout) -> None:
    """Starts the cluster anew and returns when a pod has run in it; a cluster of this name that lives is ended first."""
    for needed in [BIN / "kubelet", PAUSE_ARCHIVE]:
        if not needed.exists():
            raise ClusterError(f"{needed} is not built; `make cluster` builds it")
    with locked(layout):
        namespaces.destroy(layout)
        for log in layout.logs.glob("*.log"):
            log.unlink()
        namespaces.create(layout)
        try:
            wait_for("the supervisor", lambda: request(layout, "status"))
            request(layout, "start", "containerd", "etcd", "kube-apiserver")
            bind(layout, "kubeadm:cluster-admins", "cluster-admin", "--group=kubeadm:cluster-admins")
            bind(layout, "kubeadm:kubelet-api-admin", "system:kubelet-api-admin", "--user=kube-apiserver-kubelet-client")
            request(layout, "start", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
            load(layout, [PAUSE_ARCHIVE])
            check(layout)
        except BaseException:
            namespaces.destroy(layout)
            raise


def bind(layout: Layout, name: str, role: str, subject: str) -> None:
    """Gives one of kubeadm's certificates its rights."""
    kubectl(layout, "create", "clusterrolebinding", name, f"--clusterrole={role}", subject,
            f"--kubeconfig={layout.kubeconfig.with_name('super-admin.conf')}")


def check(layout: Layout) -> None:
    """Waits until the node is ready and has run a pod."""
    for what in [f"node/{NODE}", "serviceaccount/default"]:
        kubectl(layout, "wait", "--for=create", what, "--timeout=60s")
    kubectl(layout, "wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=60s")
    kubectl(layout, "run", "self-check", f"--image={PAUSE_IMAGE}", "--restart=Never")
    kubectl(layout, "wait", "--for=condition=Ready", "pod/self-check", "--timeout=60s")
    kubectl(layout, "delete", "pod/self-check", "--grace-period=1", "--wait=false")


def down(layout: Layout) -> None:
    """Ends the cluster, whatever state it is in."""
    with locked(layout):
        namespaces.destroy(layout)


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """One at a time starts or ends a cluster."""
    layout.lock.parent.mkdir(parents=True, exist_ok=True)
    with open(layout.lock, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def first_process(layout: Layout) -> int:
    pid = namespaces.first_process(layout)
    if pid is None:
        raise ClusterError(f"the cluster {layout.name} is not up")
    return pid


def request(layout: Layout, command: str, *names: str) -> dict[str, str]:
    """Has the supervisor do it; returns the state of each component."""
    first_process(layout)
    # A path by way of a file descriptor: sockets can't have long ones.
    folder = os.open(layout.state, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"/proc/self/fd/{folder}/socket")
            connection.sendall(json.dumps({"command": command, "names": names}).encode() + b"\n")
            with connection.makefile() as answers:
                line = answers.readline()
    finally:
        os.close(folder)
    if not line:
        raise ClusterError(f"the supervisor ended; see {layout.logs}/supervisor.log")
    answer = json.loads(line)
    if "error" in answer:
        raise ClusterError(f"{answer['error']}; see {layout.logs}")
    return answer["components"]


def inside(layout: Layout, command: list[str]) -> list[str]:
    """The command, run in the cluster's network."""
    return [*namespaces.inside(first_process(layout), "net"), *command]


def environment(layout: Layout) -> dict[str, str]:
    return {"KUBECONFIG": str(layout.kubeconfig), "KUBECTL": str(BIN / "kubectl"), "HELM": str(BIN / "helm")}


def kubectl(layout: Layout, *arguments: str) -> None:
    finish(inside(layout, [str(BIN / "kubectl"), *arguments]), {**os.environ, **environment(layout)})


def load(layout: Layout, archives: list[Path]) -> None:
    """Gives containerd the images of these docker archives."""
    enter = namespaces.inside(first_process(layout), "net", "mount")
    for archive in archives:
        finish([*enter, str(BIN / "ctr"), "--namespace=k8s.io", "images", "import", str(archive.resolve())])


def finish(command: list[str], environment: dict[str, str] | None = None) -> None:
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        raise ClusterError(f"{' '.join(command[command.index('--') + 1:])}: {result.stdout.strip()}")


def wait_for(what: str, ready) -> None:
    """Waits until `ready` raises nothing."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        with suppress(ClusterError, OSError):
            return ready()
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} is not there after {START_TIMEOUT:.0f} s")
        time.sleep(0.05)
