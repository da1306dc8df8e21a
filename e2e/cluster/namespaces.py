"""What keeps a cluster apart from the machine: namespaces for processes, network and mounts, and private folders.

Nothing here has a name on the machine: when the first process ends, the kernel ends all the others, pods included, and
takes the network and the mounts back.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from layout import BIN, NODE_ADDRESS, PRIVATE_FOLDERS, Layout


def create(layout: Layout) -> None:
    """Starts the supervisor as the first process of new namespaces; it goes on when the caller ends."""
    layout.logs.mkdir(parents=True, exist_ok=True)
    layout.state.chmod(0o700)  # private keys
    log = open(layout.logs / "supervisor.log", "ab")
    subprocess.Popen(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--", sys.executable, "-B",
         str(Path(__file__).with_name("supervisor.py")), layout.name],
        env={"PATH": f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def record(layout: Layout) -> None:
    """Writes down who the first process is. Called by it, while /proc still is the machine's."""
    pid = int(os.readlink("/proc/self"))
    layout.process.write_text(f"{pid} {start_time(pid)}")


def isolate(layout: Layout) -> None:
    """Gives the first process the cluster's mounts and network."""
    run("mount", "-t", "proc", "proc", "/proc")
    for folder in PRIVATE_FOLDERS:
        private = layout.private(folder)
        private.mkdir(parents=True, exist_ok=True)
        os.makedirs(folder, exist_ok=True)
        run("mount", "--bind", str(private), folder)
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "node0", "type", "bridge")
    run("ip", "address", "add", f"{NODE_ADDRESS}/24", "dev", "node0")
    run("ip", "link", "set", "node0", "up")
    run("ip", "route", "add", "default", "dev", "node0")
    # Pods on the bridge reach each other through Services only if what the bridge carries is also translated.
    for sysctl in ["net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"]:
        Path("/proc/sys", sysctl).write_text("1")


def first_process(layout: Layout) -> int | None:
    """Its pid, as the machine sees it, if the cluster lives."""
    try:
        pid, started = layout.process.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if start_time(int(pid)) == started else None


def inside(pid: int, *namespaces: str) -> list[str]:
    """What to put before a command to run it in those namespaces of that process."""
    return ["nsenter", f"--target={pid}", *(f"--{namespace}" for namespace in namespaces), "--"]


def destroy(layout: Layout) -> None:
    """Ends whatever of the cluster lives, and removes its state; the logs stay."""
    pid = first_process(layout)
    if pid is not None:
        with suppress(ProcessLookupError):
            end(pid)
    remove_cgroups(layout)
    if layout.state.exists():
        for path in layout.state.iterdir():
            if path == layout.logs:
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def end(pid: int) -> None:
    """Kills the first process and waits until no process of its namespace is left."""
    handle = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        if not select.select([handle], [], [], 60)[0]:
            raise RuntimeError(f"process {pid} did not end within 60 s of being killed")
    finally:
        os.close(handle)


def remove_cgroups(layout: Layout) -> None:
    """Removes the cgroups of the containers that ended with the cluster; containerd has noted which they were."""
    cgroups = Path("/sys/fs/cgroup")
    for container in layout.private("/run/containerd").glob("io.containerd.runtime.v2.task/k8s.io/*"):
        for version in ["k8s.io", "*/k8s.io"]:  # of cgroups: 2, 1
            for top in cgroups.glob(f"{version}/{container.name}"):
                for folder, _, _ in os.walk(top, topdown=False):
                    with suppress(OSError):
                        os.rmdir(folder)


def start_time(pid: int) -> str | None:
    """Start time of a process, in clock ticks since boot: with the pid, its identity. None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def run(*command: str) -> None:
    subprocess.run(command, check=True)
