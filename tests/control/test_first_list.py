"""Before the first table: nothing is served until everything has been listed, and the log says what is waited for."""

import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import objects
from control_plane import RULES, role
from fault_proxy import everything
from gateway import BINARY, wait_for


def test_not_ready_before_every_kind_is_listed(proxy, steadygate, site):
    with proxy.hanging(lambda request: request.resource == "endpointslices"):
        steadygate.launch()
        wait_for(lambda: steadygate.readiness()[1].count("waiting for") == 1, "all else is listed", 7)
        code, text = steadygate.readiness()
        assert code == 503 and "waiting for the first list of endpointslices.discovery.k8s.io" in text
        assert steadygate.ask(site.host)[0] is None, "no port is open"
    wait_for(lambda: steadygate.readiness()[0] == 200, "it is ready", 10)
    assert steadygate.serves(site.host)


def test_what_is_not_permitted_is_named(api, make, site):
    without = [(group, resources.replace("secrets", "").strip(), verbs) for group, resources, verbs in RULES]
    api.apply(role("restricted", *without))
    steadygate = make(user="restricted")
    steadygate.launch()
    wait_for(lambda: "forbidden" in steadygate.readiness()[1], "it says so", 5)
    time.sleep(2)
    code, text = steadygate.readiness()
    assert code == 503
    assert text.count("waiting for") == 1, text
    for words in ["waiting for the first list of secrets", 'resource "secrets"', "cluster scope", "list and watch"]:
        assert words in text, text
    assert len(steadygate.logged("ERROR", "forbidden")) == 1, "once, not at each try"
    api.apply(role("restricted", *RULES))
    wait_for(lambda: steadygate.readiness()[0] == 200, "it is ready", 15)
    steadygate.serves_within(2, site.host)


def test_a_right_that_is_lost_later_takes_nothing_away(api, make, site):
    api.apply(role("restricted", *RULES))
    steadygate = make(user="restricted")
    steadygate.start()
    steadygate.serves_within(2, site.host)
    api.apply(role("restricted"))
    wait_for(lambda: steadygate.logged("ERROR", "forbidden", "ingresses"), "it is logged", 8)
    assert steadygate.readiness()[0] == 200 and steadygate.serves(site.host)
    api.apply(role("restricted", *RULES))
    steadygate.serves_within(15, site.add("later"))


def test_only_the_given_namespaces_are_asked_for(proxy, steadygate, site, another_site):
    steadygate.start("--namespace", site.namespace)
    steadygate.serves_within(2, site.host)
    assert not steadygate.serves(another_site.host)
    for request in proxy.asked(everything):
        assert request.namespace == site.namespace or request.resource == "ingressclasses", str(request)


def test_several_namespaces(steadygate, site, another_site):
    steadygate.start("--namespace", site.namespace, "--namespace", another_site.namespace)
    steadygate.serves_within(2, site.host)
    steadygate.serves_within(2, another_site.host)
    steadygate.serves_within(2, another_site.add("later"))


def test_another_name_serves_other_classes(api, steadygate, site):
    api.apply(objects.ingress_class("second", "example.com/second"))
    host = site.add("second", ingress_class="second")
    steadygate.start("--controller-name", "example.com/second")
    steadygate.serves_within(2, host)
    assert not steadygate.serves(site.host)


def test_without_a_cluster_the_message_names_the_option_for_a_directory(tmp_path):
    environment = {"PATH": "/usr/bin", "HOME": str(tmp_path)}
    ended = subprocess.run([BINARY, "run"], env=environment, capture_output=True, text=True, timeout=10)
    assert ended.returncode != 0
    assert "KUBECONFIG" in ended.stderr and "--manifests DIR" in ended.stderr


def test_many_changes_at_once_are_few_inputs(steadygate, site):
    """And one alone does not wait for others."""
    steadygate.start()
    steadygate.serves_within(2, site.host)
    took = min(steadygate.serves_within(2, site.add(f"alone-{number}")) for number in range(5))
    print(f"a new Ingress was served {took * 1000:.0f} ms after it was made")
    assert took < 0.5
    before = steadygate.generation()
    # However long making them takes, it learns of all of them at once.
    steadygate.process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(8) as pool:
        hosts = list(pool.map(site.add, [f"many-{number}" for number in range(100)]))
    steadygate.process.send_signal(signal.SIGCONT)
    for host in hosts:
        steadygate.serves_within(2, host)
    assert steadygate.generation() - before <= 50
