"""Events about problems: on the object that has it, once, whoever leads."""

import time

import objects
from gateway import wait_for
from replicas import MANAGER, leader, leads, replica, settled, writes

__all__ = ["leader", "replica"]


def events(api, namespace):
    found = api.json("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]
    return sorted(found, key=lambda event: event["metadata"]["name"])


def test_a_problem_is_reported_on_its_object(api, site, leader):
    api.apply(objects.ingress(site.namespace, "broken", f"broken.{site.host}", to="gone"))
    [event] = wait_for(lambda: events(api, site.namespace), "an event", 10)
    ingress = api.json("GET", f"/apis/networking.k8s.io/v1/namespaces/{site.namespace}/ingresses/broken")
    regarding = event["regarding"]
    assert (regarding["kind"], regarding["name"]) == ("Ingress", "broken")
    assert regarding["uid"] == ingress["metadata"]["uid"]
    assert (event["type"], event["reason"]) == ("Warning", "ServiceNotFound")
    assert "there is no Service" in event["note"] and "create it or correct the name" in event["note"]
    assert event["note"].startswith("spec.rules[0].http.paths[0].backend.service.name: ")
    assert event["reportingController"] == MANAGER


def test_a_problem_is_reported_once_whoever_leads(api, site, leader, replica):
    api.apply(objects.ingress(site.namespace, "broken", f"broken.{site.host}", to="gone"))
    before = wait_for(lambda: events(api, site.namespace), "an event", 10)
    # Something else changes: the problem is the same.
    site.add("second")
    settled(leader)
    assert events(api, site.namespace) == before
    # Another process leads.
    leader.terminate()
    assert leader.exit_code() == 0
    other = replica()
    wait_for(lambda: leads(other), "the other leads", 6)
    wait_for(lambda: writes(other, "Event") >= 1, "it looks", 10)
    settled(other)
    assert events(api, site.namespace) == before
    assert writes(other, "Event", "success") == 0


def test_a_problem_of_a_moment_is_not_reported(api, site, leader):
    api.apply(objects.ingress(site.namespace, "early", f"early.{site.host}", to="late"))
    time.sleep(0.5)
    api.apply(objects.service(site.namespace, "late", ("203.0.113.9", 80)))
    time.sleep(5)
    assert events(api, site.namespace) == []


def test_each_problem_of_a_gateway_is_reported(api, site, leader):
    gateway = objects.application_gateway(site.namespace, "contoso", f"gateway.{site.host}", to="gone")
    gateway["spec"]["requestRoutingRules"].append(
        gateway["spec"]["requestRoutingRules"][0] | {"name": "second", "priority": 20}
    )
    api.apply(gateway)
    found = wait_for(lambda: len(events(api, site.namespace)) >= 2 and events(api, site.namespace), "two events", 10)
    assert {event["reason"] for event in found} == {"ServiceNotFound", "Conflict"}
    assert {event["regarding"]["apiVersion"] for event in found} == {"steadygate.io/v1alpha1"}
    api.request("DELETE", f"/apis/steadygate.io/v1alpha1/namespaces/{site.namespace}/applicationgateways/contoso")


def test_events_of_objects_without_a_namespace_are_in_default(api, site, leader):
    ingress_class = objects.ingress_class("with-parameters", MANAGER)
    ingress_class["spec"]["parameters"] = {"apiGroup": "example.com", "kind": "Anything", "name": "any", "scope": "Cluster"}
    api.apply(ingress_class)

    def told():
        about = [event for event in events(api, "default") if event["regarding"]["kind"] == "IngressClass"]
        return [event["reason"] for event in about] == ["InvalidParameters"]

    wait_for(told, "an event", 10)
    api.delete(ingress_class)
