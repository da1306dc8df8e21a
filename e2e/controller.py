"""Releases of the chart in the cluster, installed as users do, and what one sees of them."""

import json
import os
import subprocess
from pathlib import Path

CHART = Path(__file__).parent.parent / "charts" / "steadygate"
HELM = os.environ.get("HELM", "helm")


def helm(*arguments, check=True):
    done = subprocess.run([HELM, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    if check and done.returncode != 0:
        raise AssertionError(f"helm {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}")
    return done


class Release:
    """The chart, installed as `name` in the namespace of that name."""

    def __init__(self, kubectl, name="steadygate", chart=CHART, **values):
        self.kubectl, self.name, self.namespace = kubectl, name, name
        self.values = {"image.pullPolicy": "Never", "service.type": "ClusterIP", **values}
        self.chart = chart

    def install(self):
        """Installs or upgrades, and waits until every replica is ready."""
        self.kubectl("create", "namespace", self.namespace, check=False)
        self.kubectl(
            "label", "namespace", self.namespace, "pod-security.kubernetes.io/enforce=restricted", "--overwrite"
        )
        pairs = [f"{key}={json.dumps(value) if not isinstance(value, str) else value}" for key, value in self.values.items()]
        sets = [part for pair in pairs for part in ("--set", pair)]
        # `--wait` would hide what the pods say; a failure prints it below.
        helm("upgrade", "--install", self.name, self.chart, "--namespace", self.namespace, *sets)
        self.wait()
        return self

    def wait(self, timeout=120):
        done = self.kubectl("rollout", "status", self.workload, "-n", self.namespace, f"--timeout={timeout}s", check=False)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{self.describe()}"

    @property
    def workload(self):
        return f"deployment/{self.name}"

    @property
    def selector(self):
        return f"app.kubernetes.io/instance={self.name},app.kubernetes.io/name=steadygate"

    def describe(self):
        pods = self.kubectl("describe", "pods", "-n", self.namespace, "-l", self.selector, check=False).stdout
        logs = self.kubectl("logs", "-n", self.namespace, "-l", self.selector, "--tail=50", "--prefix", check=False).stdout
        return pods + logs

    def pods(self):
        """The controller's pods that are not going away, by name."""
        found = self.kubectl.json("get", "pods", "-n", self.namespace, "-l", self.selector)["items"]
        return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}

    @property
    def address(self):
        """Where clients reach it: the Service's cluster IP."""
        return self.kubectl.json("get", "service", self.name, "-n", self.namespace)["spec"]["clusterIP"]

    def leader(self):
        """The name of the pod that holds the lease; None while nobody does."""
        lease = self.kubectl.json("get", "lease", self.name, "-n", self.namespace)
        holder = lease["spec"].get("holderIdentity") or ""
        return next((name for name in self.pods() if holder.startswith(name)), None)

    def uninstall(self):
        helm("uninstall", self.name, "--namespace", self.namespace, "--wait", check=False)
