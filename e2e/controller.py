"""Releases of the chart in the cluster, installed as users do, and what one sees of them."""

import json
import os
import subprocess
from pathlib import Path

from kubernetes import KubectlError, Namespace

CHART = Path(__file__).parent.parent / "charts" / "steadygate"
HELM = os.environ.get("HELM", "helm")


def helm(*arguments, check=True):
    done = subprocess.run([HELM, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    if check and done.returncode != 0:
        raise AssertionError(f"helm {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}")
    return done


class Release:
    """The chart, installed under a name, in the namespace of that name."""

    def __init__(self, kubectl, name="steadygate", chart=CHART, **values):
        self.name, self.namespace = name, Namespace(name, kubectl)
        repository, tag = os.environ["STEADYGATE_IMAGE"].rsplit(":", 1)
        image = {"image.repository": repository, "image.tag": tag, "image.pullPolicy": "Never"}
        self.values = {**image, "service.type": "ClusterIP", **values}
        self.chart = chart

    def install(self):
        """Installs or upgrades, and waits until every replica is ready."""
        self.namespace.kubectl.run("create", "namespace", self.namespace.name)
        self.namespace.enforce("restricted")
        sets = [part for key, value in self.values.items() for part in ("--set-json", f"{key}={json.dumps(value)}")]
        # `--wait` would hide what the pods say; a failure prints it below.
        helm("upgrade", "--install", self.name, self.chart, "--namespace", self.namespace.name, *sets)
        self.wait()
        return self

    def wait(self, timeout=120):
        try:
            self.namespace("rollout", "status", self.workload, f"--timeout={timeout}s")
        except KubectlError as error:
            raise AssertionError(f"{error}\n{self.describe()}") from None

    @property
    def workload(self):
        return f"deployment/{self.name}"

    @property
    def selector(self):
        return f"app.kubernetes.io/instance={self.name},app.kubernetes.io/name=steadygate"

    def describe(self):
        return self.namespace("describe", "pods", "-l", self.selector) + self.logs("--tail=50")

    def logs(self, *options):
        return self.namespace("logs", "-l", self.selector, "--prefix", *options)

    def pods(self):
        """The controller's pods that are not going away, by name."""
        found = self.namespace.json("get", "pods", "-l", self.selector)["items"]
        return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}

    @property
    def address(self):
        """Where clients reach it: the Service's cluster IP."""
        return self.namespace.json("get", "service", self.name)["spec"]["clusterIP"]

    def leader(self):
        """The name of the pod that holds the lease; None while nobody does."""
        lease = self.namespace.json("get", "lease", self.name)
        holder = lease["spec"].get("holderIdentity") or ""
        return next((name for name in self.pods() if holder.startswith(name)), None)

    def uninstall(self):
        helm("uninstall", self.name, "--namespace", self.namespace.name, "--wait", check=False)
