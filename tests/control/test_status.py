"""Status and Events in a real cluster: complete, nothing twice, and nothing for objects of others."""

import http.client
import json
import threading
import time

import pytest

import objects
from fault_proxy import status
from gateway import wait_for
from replicas import (
    ADDRESS, MANAGER, addresses, condition, gateway_path, gateway_status, ingress_path, leader, leads, managers, replica,
    settled, steady, writes,
)  # fmt: skip

MERGE = "application/merge-patch+json"
__all__ = ["leader", "replica"]


def told(api, site, name="first"):
    return addresses(api, site.namespace, name) == [ADDRESS]


def test_the_status_of_an_ingress_has_the_address_until_its_class_changes(api, site, leader):
    wait_for(lambda: told(api, site), "the address is told", 5)
    path = ingress_path(site.namespace, "first")
    assert managers(api.json("GET", path)) == {MANAGER}
    api.json("PATCH", path, {"spec": {"ingressClassName": "foreign"}}, content_type=MERGE)
    wait_for(lambda: addresses(api, site.namespace, "first") == [], "the address is taken back", 5)
    assert managers(api.json("GET", path)) == set()
    api.json("PATCH", path, {"spec": {"ingressClassName": "steadygate"}}, content_type=MERGE)
    wait_for(lambda: told(api, site), "the address is told again", 5)


def test_an_ingress_of_another_class_is_never_touched(api, site, leader):
    api.apply(objects.ingress(site.namespace, "theirs", f"theirs.{site.host}", ingress_class="foreign"))
    path = ingress_path(site.namespace, "theirs")
    addressed = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.99"}]}}}
    before = api.json("PATCH", f"{path}/status", addressed, content_type=MERGE)
    site.add("second")
    wait_for(lambda: told(api, site, "second"), "the address is told", 5)
    settled(leader)
    assert api.json("GET", path) == before


def test_the_addresses_are_those_of_the_service(api, site, replica):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "balancer", "namespace": site.namespace},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    }
    api.apply(service)
    leader = replica(publish=("--publish-service", f"{site.namespace}/balancer"))
    wait_for(lambda: leads(leader), "it leads", 5)
    settled(leader)
    assert addresses(api, site.namespace, "first") == [], "it has none yet"
    path = f"/api/v1/namespaces/{site.namespace}/services/balancer"

    def give(*ingress):
        body = {"status": {"loadBalancer": {"ingress": list(ingress)}}}
        api.json("PATCH", f"{path}/status", body, content_type=MERGE)

    give({"ip": "192.0.2.7"})
    wait_for(lambda: addresses(api, site.namespace, "first") == ["192.0.2.7"], "its address is told", 5)
    give({"ip": "192.0.2.8"}, {"hostname": "lb.example"})
    wait_for(lambda: sorted(addresses(api, site.namespace, "first")) == ["192.0.2.8", "lb.example"], "the new ones", 5)
    # An address that is not known for a moment would take DNS records with it.
    api.request("DELETE", path)
    settled(leader)
    assert sorted(addresses(api, site.namespace, "first")) == ["192.0.2.8", "lb.example"]


def test_the_status_of_a_gateway_has_all_that_matters(api, site, leader):
    api.apply(objects.application_gateway(site.namespace, "contoso", f"gateway.{site.host}"))
    programmed = lambda: condition(api, site.namespace, "contoso", "Programmed").get("status") == "True"  # noqa: E731
    wait_for(programmed, "it is programmed", 5)
    wait_for(lambda: gateway_status(api, site.namespace, "contoso")["members"] == "1/1", "its member is up", 10)
    shown = gateway_status(api, site.namespace, "contoso")
    assert shown["addresses"] == [{"type": "IPAddress", "value": ADDRESS}]
    assert shown["listeners"] == [{"name": "http", "served": True}]
    assert shown["rules"] == [{"name": "rule", "served": True}]
    assert shown["backendAddressPools"] == [{"name": "pool", "up": 1, "down": 0, "draining": 0, "total": 1}]
    assert columns(api, site.namespace, "contoso")[:5] == ["contoso", "steadygate", ADDRESS, "True", "1/1"]
    transitions = {each["type"]: each["lastTransitionTime"] for each in shown["conditions"]}

    time.sleep(1.1)
    service = objects.service(site.namespace, "app")[0]
    api.delete(service)
    resolved = lambda: condition(api, site.namespace, "contoso", "ResolvedRefs")  # noqa: E731
    wait_for(lambda: resolved().get("status") == "False", "the missing Service is told", 5)
    assert resolved()["reason"] == "ServiceNotFound"
    assert "spec.backendAddressPools[0].serviceRef.name" in resolved()["message"]
    shown = gateway_status(api, site.namespace, "contoso")
    assert [(rule["served"], rule["reason"]) for rule in shown["rules"]] == [(False, "ServiceNotFound")]
    now = {each["type"]: each["lastTransitionTime"] for each in shown["conditions"]}
    assert now["Accepted"] == transitions["Accepted"] and now["ResolvedRefs"] > transitions["ResolvedRefs"]

    path = gateway_path(site.namespace, "contoso")
    api.json("PATCH", path, {"spec": {"ingressClassName": "foreign"}}, content_type=MERGE)
    wait_for(lambda: gateway_status(api, site.namespace, "contoso") == {}, "what was told is taken back", 5)
    api.request("DELETE", path)


def columns(api, namespace, name):
    """The columns of `kubectl get`."""
    connection = http.client.HTTPSConnection("127.0.0.1", api.port, context=api.tls, timeout=10)
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    connection.request("GET", gateway_path(namespace, name), None, {"Authorization": f"Bearer {api.token}", "Accept": table})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer["rows"][0]["cells"]


def test_nothing_is_written_while_nothing_changes(api, site, leader):
    api.apply(objects.application_gateway(site.namespace, "contoso", f"gateway.{site.host}"))
    wait_for(lambda: gateway_status(api, site.namespace, "contoso").get("members") == "1/1", "its member is up", 10)
    settled(leader)
    paths = [ingress_path(site.namespace, "first"), gateway_path(site.namespace, "contoso")]
    before = [api.json("GET", path) for path in paths]
    # One write each, and for the gateway those of its member that came up.
    assert writes(leader, "Ingress", "success") == 1
    assert writes(leader, "ApplicationGateway", "success") <= 3
    assert steady(leader, 10)
    assert [api.json("GET", path) for path in paths] == before
    api.request("DELETE", paths[1])


def test_members_that_come_and_go_are_reported_once_a_second(api, site, leader):
    api.apply(objects.application_gateway(site.namespace, "contoso", f"gateway.{site.host}"))
    wait_for(lambda: gateway_status(api, site.namespace, "contoso").get("members") == "1/1", "its member is up", 10)
    settled(leader)
    before = writes(leader, "ApplicationGateway")
    path = f"/apis/discovery.k8s.io/v1/namespaces/{site.namespace}/endpointslices/app"
    slice = api.json("GET", path)
    began = time.monotonic()
    for turn in range(60):
        endpoints = [entry | {"conditions": {"ready": turn % 2 == 1}} for entry in slice["endpoints"]]
        api.json("PATCH", path, {"endpoints": endpoints}, content_type=MERGE)
        time.sleep(0.1)
    took = time.monotonic() - began
    settled(leader)
    wait_for(lambda: gateway_status(api, site.namespace, "contoso")["members"] == "1/1", "its member is up again", 5)
    assert 1 <= writes(leader, "ApplicationGateway") - before <= took + 3
    api.request("DELETE", gateway_path(site.namespace, "contoso"))


def test_a_burst_is_written_once_each(api, site, leader):
    settled(leader)
    before = writes(leader, "Ingress")
    names = [f"burst-{number}" for number in range(200)]
    for name in names:
        site.add(name)
    wait_for(lambda: all(told(api, site, name) for name in names[-20:]), "the last are told", 20)
    wait_for(lambda: all(told(api, site, name) for name in names), "all are told", 20)
    settled(leader)
    assert writes(leader, "Ingress") - before == len(names)


def test_what_another_changes_back_is_not_fought_over(api, site, leader):
    wait_for(lambda: told(api, site), "the address is told", 5)
    settled(leader)
    before = writes(leader, "Ingress")
    ended = threading.Event()
    path = ingress_path(site.namespace, "first") + "/status"

    def undo():
        while not ended.wait(0.05):
            api.json("PATCH", path, {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.66"}]}}}, content_type=MERGE)

    other = threading.Thread(target=undo, daemon=True)
    other.start()
    time.sleep(10)
    ended.set()
    other.join()
    assert writes(leader, "Ingress") - before <= 6
    wait_for(lambda: told(api, site), "the address is told again", 20)


def test_after_the_server_was_away_status_is_right(control_plane, api, site, leader):
    wait_for(lambda: told(api, site), "the address is told", 5)
    control_plane.kill("kube-apiserver")
    time.sleep(3)
    control_plane.start_api_server()
    site.add("late")
    wait_for(lambda: told(api, site, "late"), "a late Ingress is told", 40)
    settled(leader)
    assert leads(leader)


def test_an_object_that_is_gone_is_no_trouble(api, site, leader):
    for number in range(20):
        site.add(f"short-{number}")
        api.request("DELETE", ingress_path(site.namespace, f"short-{number}"))
    site.add("stays")
    wait_for(lambda: told(api, site, "stays"), "what stays is told", 5)
    settled(leader)
    assert not leader.logged("WARN", "status")
    assert writes(leader, "Ingress", "refused") == 0


def is_write(request):
    return request.method == "PATCH"


TROUBLES = {
    "overloaded": lambda proxy: proxy.answering(429, status(429, "TooManyRequests"), when=is_write, retry_after=2),
    "internal error": lambda proxy: proxy.answering(500, status(500, "InternalError"), when=is_write),
    "conflict": lambda proxy: proxy.answering(409, status(409, "Conflict"), when=is_write),
    "silence": lambda proxy: proxy.hanging(when=is_write),
    "not permitted": lambda proxy: proxy.answering(403, status(403, "Forbidden"), when=is_write),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_could_not_be_written_is_written_later(proxy, api, site, leader, trouble):
    settled(leader)
    names = [f"late-{number}" for number in range(30)]
    before = len(proxy.asked(is_write))
    with TROUBLES[trouble](proxy):
        for name in names:
            host = site.add(name)
        leader.serves_within(2, host)
        time.sleep(4)
        # Neither a flood of tries, nor one line of the log for each.
        assert len(proxy.asked(is_write)) - before <= 4 * len(names)
        assert len(leader.logged("WARN", "can't be written")) <= 1
        assert leader.logged("ERROR") == []
    wait_for(lambda: all(told(api, site, name) for name in names), "all are told", 30)
    assert leads(leader)


def test_controllers_of_other_names_leave_each_other_alone(api, site, leader, replica):
    api.apply(objects.ingress_class("another", "example.com/ours-too"))
    other = replica(
        "--controller-name", "example.com/ours-too", publish=("--publish-address", "192.0.2.20"), lease="another"
    )
    api.apply(objects.ingress(site.namespace, "another", f"another.{site.host}", ingress_class="another"))
    wait_for(lambda: addresses(api, site.namespace, "another") == ["192.0.2.20"], "the other's address is told", 5)
    wait_for(lambda: told(api, site), "the address is told", 5)
    settled(leader)
    settled(other)
    assert leads(leader) and leads(other)
    assert addresses(api, site.namespace, "another") == ["192.0.2.20"] and told(api, site)
    # An object that moves from the one to the other.
    path = ingress_path(site.namespace, "first")
    api.json("PATCH", path, {"spec": {"ingressClassName": "another"}}, content_type=MERGE)
    wait_for(lambda: addresses(api, site.namespace, "first") == ["192.0.2.20"], "the other's address is told", 5)
    settled(leader)
    settled(other)
    assert managers(api.json("GET", path)) == {"example.com/ours-too"}
