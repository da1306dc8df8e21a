"""The definition of ApplicationGateway may come late, go, and let through what can't be read."""

import time

import pytest

import objects
from gateway import wait_for
from steadygate import Traffic


@pytest.fixture
def gateway(site):
    host = f"gateway.{site.host}"
    return host, objects.application_gateway(site.namespace, "gateway", host)


@pytest.fixture
def undefined(api):
    api.undefine()
    yield
    api.define()


@pytest.fixture
def loose(api):
    """The definition without a schema; afterwards as it was."""

    def loosen(spec):
        for version in spec["versions"]:
            version["schema"] = {
                "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            }

    api.define(loosen)
    yield
    api.undefine()
    api.define()


def test_a_definition_that_comes_late_is_picked_up(undefined, api, steadygate, site, gateway):
    steadygate.start()
    assert steadygate.serves(site.host), "all else is served"
    assert steadygate.logged("WARN", "applicationgateways.steadygate.io", "crds/")
    host, made = gateway
    api.define()
    api.apply(made)
    assert steadygate.serves_within(8, host)


def test_the_definitions_of_other_projects_may_be_absent(serving, site):
    assert serving.serves(site.host)
    for resource in ("azureapplicationgatewayrewrites", "azureingressprohibitedtargets"):
        assert not serving.logged("WARN", resource) and not serving.logged("ERROR", resource)


def test_with_the_definition_its_objects_go(api, serving, site, gateway):
    host, made = gateway
    api.apply(made)
    serving.serves_within(2, host)
    api.undefine()
    try:
        with Traffic(serving, site.host):
            wait_for(lambda: not serving.serves(host), "the gateway is gone", 5)
            wait_for(lambda: serving.logged("WARN", "applicationgateways", "crds/"), "it is logged", 5)
    finally:
        api.define()
    api.apply(made)
    serving.serves_within(8, host)


def test_what_can_not_be_read_spoils_nothing_but_itself(loose, api, serving, site, gateway):
    host, made = gateway
    api.apply(made)
    serving.serves_within(2, host)
    broken = made | {"spec": made["spec"] | {"frontendPorts": [{"name": "port80", "port": "eighty"}]}}
    other = objects.application_gateway(site.namespace, "other", f"other.{site.host}")
    never = objects.application_gateway(site.namespace, "never", f"never.{site.host}")
    never["spec"]["requestRoutingRules"][0]["ruleType"] = "Sideways"
    with Traffic(serving, host):
        api.apply(broken, never, other)
        serving.serves_within(2, f"other.{site.host}")
        logged = wait_for(lambda: serving.logged("ERROR", "InvalidObject", f"{site.namespace}/gateway"), "it is logged", 2)
        assert len(logged) == 1
        assert "spec.frontendPorts[0].port" in logged[0] and "eighty" in logged[0] and "correct the field" in logged[0]
        words = "InvalidObject", f"{site.namespace}/never", "spec.requestRoutingRules[0].ruleType"
        wait_for(lambda: serving.logged(*words), "the other is logged too", 2)
        time.sleep(0.2)
    assert not serving.serves(f"never.{site.host}")
    moved = f"moved.{site.host}"
    api.apply(objects.application_gateway(site.namespace, "gateway", moved))
    serving.serves_within(2, moved)
    wait_for(lambda: serving.logged("resolved", "gateway"), "it is logged", 2)


def test_what_could_not_be_read_is_not_gone_after_a_new_list(loose, api, proxy, serving, site, gateway):
    """The last good version outlives a list that has the broken one."""
    host, made = gateway
    api.apply(made)
    serving.serves_within(2, host)
    api.apply(made | {"spec": made["spec"] | {"frontendPorts": "none"}})
    wait_for(lambda: serving.logged("InvalidObject", f"{site.namespace}/gateway"), "it is logged", 2)
    began = time.monotonic()
    lists = lambda request: request.resource == "applicationgateways" and (request.lists or request.streams)  # noqa: E731
    with proxy.answering(410, "", when=lambda request: request.watches and not request.streams):
        time.sleep(1)
        wait_for(lambda: proxy.asked(lists, since=began), "a new list")
    serving.serves_within(5, site.add("later"))
    assert serving.serves(host)
