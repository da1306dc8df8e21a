"""The cluster itself: what the other tests take for granted."""

import json
import os
import urllib.request
from pathlib import Path

import pytest

from kubernetes import KubectlError, wait_until
from manifests import backend_deployment, service

NODE_ADDRESS = "10.89.0.2"
LOW_PORTS = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}


def ask(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=2) as answer:
        return json.load(answer)


def pods_that_answer(url: str) -> set[str]:
    return {ask(url)["pod"] for _ in range(20)}


def test_services_reach_every_pod(namespace):
    namespace.apply(backend_deployment("echo"), service("echo", "NodePort"))
    namespace.wait_rolled_out("echo")
    spec = namespace.json("get", "service", "echo")["spec"]
    for url in [f"http://{spec['clusterIP']}/", f"http://{NODE_ADDRESS}:{spec['ports'][0]['nodePort']}/"]:
        wait_until(lambda: len(pods_that_answer(url)) == 2)


def test_a_restricted_pod_binds_port_80(namespace):
    namespace.enforce("restricted")
    namespace.apply(backend_deployment("low", 1, port=80, sysctls=[LOW_PORTS]), service("low"))
    namespace.wait_rolled_out("low")
    address = namespace.json("get", "pods")["items"][0]["status"]["podIP"]
    assert ask(f"http://{address}/")["namespace"] == namespace.name


def test_without_the_sysctl_port_80_is_refused(namespace):
    namespace.apply(backend_deployment("low", 1, port=80))
    wait_until(lambda: "permission denied" in namespace("logs", "deployment/low"))


def test_host_ports_are_the_nodes(namespace):
    deployment = backend_deployment("host", 1)
    deployment["spec"]["template"]["spec"]["containers"][0]["ports"][0]["hostPort"] = 18080
    namespace.apply(deployment)
    namespace.wait_rolled_out("host")
    assert wait_until(lambda: ask(f"http://{NODE_ADDRESS}:18080/"))["pod"].startswith("host-")


def test_pods_reach_services(namespace):
    """Both on one bridge, where translation is easily passed by."""
    namespace.apply(backend_deployment("echo", 1), service("echo"))
    namespace.wait_rolled_out("echo")
    address = namespace.json("get", "service", "echo")["spec"]["clusterIP"]
    probing = backend_deployment("probing", 1)
    probing["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"] |= {"host": address, "port": 80}
    namespace.apply(probing)
    namespace.wait_rolled_out("probing")


def test_pods_outlive_the_api_server_and_etcd(namespace, cluster, kubectl):
    namespace.apply(backend_deployment("echo", 1))
    namespace.wait_rolled_out("echo")
    address = namespace.json("get", "pods")["items"][0]["status"]["podIP"]
    cluster.kill("etcd")
    cluster.stop("kube-apiserver")
    with pytest.raises(KubectlError):
        kubectl("get", "nodes", "--request-timeout=2s")
    assert ask(f"http://{address}:8080/")["namespace"] == namespace.name
    cluster.start_all()
    namespace("scale", "deployment/echo", "--replicas=2")
    namespace.wait_rolled_out("echo")


def test_pods_outlive_the_node_agents(namespace, cluster):
    namespace.apply(backend_deployment("echo", 1))
    namespace.wait_rolled_out("echo")
    pod = namespace.json("get", "pods")["items"][0]
    cluster.kill("containerd", "kubelet", "kube-proxy")
    cluster.start("containerd", "kubelet", "kube-proxy")
    namespace("scale", "deployment/echo", "--replicas=2")
    namespace.wait_rolled_out("echo")
    assert ask(f"http://{pod['status']['podIP']}:8080/")["pod"] == pod["metadata"]["name"]
    assert namespace.json("get", "pod", pod["metadata"]["name"])["status"]["containerStatuses"][0]["restartCount"] == 0


def test_the_audit_log_has_every_request(namespace):
    namespace("create", "configmap", "seen")
    name = f"/api/v1/namespaces/{namespace.name}/configmaps"
    wait_until(lambda: any(
        event["verb"] == "create" and event["requestURI"].startswith(name)
        for event in map(json.loads, Path(os.environ["AUDIT_LOG"]).read_text().splitlines())))
