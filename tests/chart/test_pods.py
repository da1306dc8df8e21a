"""The pods: what Pod Security asks of them, and what must not restart them."""

import re
import shutil

import pytest

from chart import CASES, CHART, objects, pod_templates

# With host ports no namespace of level `baseline` takes them either; the rest holds all the same.
HOST_PORTS = {"host-ports", "host-network"}
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
# Those that level `restricted` takes for safe and that we use.
SYSCTLS = {"net.ipv4.ip_unprivileged_port_start"}


@pytest.mark.parametrize("case", CASES)
def test_pods_are_restricted(case):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    pods = pod_templates(objects(CASES[case]))
    assert pods
    for pod in pods.values():
        spec = pod["spec"]
        beyond = {"hostNetwork"} if case == "host-network" and spec["containers"][0]["name"] == "steadygate" else set()
        assert {"hostNetwork", "hostPID", "hostIPC"} & spec.keys() == beyond
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] != 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {sysctl["name"] for sysctl in context.get("sysctls", [])} <= SYSCTLS
        for volume in spec.get("volumes", []):
            assert volume.keys() - {"name"} <= VOLUMES
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            ports = [port for port in container.get("ports", []) if "hostPort" in port]
            assert bool(ports) == (case in HOST_PORTS and container["name"] == "steadygate")


@pytest.mark.parametrize("case", CASES)
def test_another_version_of_the_chart_restarts_no_pod(case, tmp_path):
    other = shutil.copytree(CHART, tmp_path / "steadygate")
    metadata = (other / "Chart.yaml").read_text()
    (other / "Chart.yaml").write_text(re.sub(r"(?m)^version: .*$", "version: 99.0.0", metadata))
    before, after = objects(CASES[case]), objects(CASES[case], chart=other)
    assert before != after
    assert pod_templates(before) == pod_templates(after)


@pytest.mark.parametrize("case", CASES)
def test_the_grace_period_covers_all_that_a_stop_takes(case):
    for pod in pod_templates(objects(CASES[case])).values():
        for container in pod["spec"]["containers"]:
            drain = [int(word.split("=")[1]) for word in container["args"] if word.startswith("--drain-timeout=")]
            if drain:
                sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
                assert pod["spec"]["terminationGracePeriodSeconds"] >= sleep + drain[0] + 10
