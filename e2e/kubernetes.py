"""The cluster as the tests use it: kubectl, namespaces, components to stop, and waiting."""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Object = dict[str, Any]
T = TypeVar("T")


class Kubectl:
    """kubectl as cluster administrator; a call returns what it prints, and a failure raises with what it says."""

    def __call__(self, *arguments: str, input: str | None = None) -> str:
        command = [os.environ["KUBECTL"], *arguments]
        result = subprocess.run(command, input=input, capture_output=True, text=True)
        if result.returncode:
            raise KubectlError(f"kubectl {shlex.join(arguments)}: {result.stderr.strip()}")
        return result.stdout

    def json(self, *arguments: str) -> Object:
        """What `kubectl … -o json` prints, parsed."""
        return json.loads(self(*arguments, "-o", "json"))

    def apply(self, *objects: Object) -> None:
        self("apply", "--server-side", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


class KubectlError(Exception):
    """kubectl failed."""


@dataclass(frozen=True)
class Namespace:
    """A namespace that one test has for itself."""

    name: str
    kubectl: Kubectl

    def __call__(self, *arguments: str) -> str:
        """kubectl in this namespace."""
        return self.kubectl("-n", self.name, *arguments)

    def json(self, *arguments: str) -> Object:
        return self.kubectl.json("-n", self.name, *arguments)

    def apply(self, *objects: Object) -> None:
        """Applies these objects, which name no namespace, to this one."""
        self.kubectl.apply(*({**o, "metadata": {**o["metadata"], "namespace": self.name}} for o in objects))

    def enforce(self, level: str) -> None:
        """Has Pod Security admission refuse what is less than `privileged`, `baseline` or `restricted`."""
        self.kubectl("label", "namespace", self.name, f"pod-security.kubernetes.io/enforce={level}", "--overwrite")

    def wait_rolled_out(self, deployment: str, timeout: float = 60) -> None:
        self("rollout", "status", f"deployment/{deployment}", f"--timeout={timeout:.0f}s")


class Cluster:
    """The components of the cluster: etcd, kube-apiserver, kubelet, containerd and so on."""

    def stop(self, *components: str) -> None:
        self.run("stop", *components)

    def start(self, *components: str) -> None:
        """Returns when they are ready; those that run are left alone."""
        self.run("start", *components)

    def restart(self, *components: str) -> None:
        self.run("restart", *components)

    def kill(self, *components: str) -> None:
        """Ends them without giving them a chance to say so."""
        self.run("kill", *components)

    def start_all(self) -> None:
        """Whatever a test did, the next one finds all of them running."""
        states = dict(line.split() for line in self.run("status", check=False).splitlines())
        for component, state in states.items():
            if state != "running":
                self.start(component)

    def run(self, *arguments: str, check: bool = True) -> str:
        command = [*shlex.split(os.environ["CLUSTER"]), *arguments]
        result = subprocess.run(command, capture_output=True, text=True)
        if check and result.returncode:
            raise RuntimeError(result.stderr.strip())
        return result.stdout


def wait_until(condition: Callable[[], T], timeout: float = 30, interval: float = 0.1) -> T:
    """Returns what the condition does, once it is true; an error or a failed assertion of it counts as not yet."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            if value := condition():
                return value
            reason: object = f"it is {value!r}"
        except Exception as error:
            reason = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {timeout:g} s: {reason}")
        time.sleep(interval)
