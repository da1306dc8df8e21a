"""Who writes status: one replica at a time, and soon another when it is gone. All of them serve."""

import time

import pytest

from control_plane import RULES, role
from fault_proxy import Proxy
from gateway import wait_for
from replicas import ADDRESS, DEADLINE, LEASE, RETRY, addresses, leader, leads, replica, writes
from steadygate import Steadygate

__all__ = ["leader", "replica"]


def lease(api, holder):
    return api.json("GET", f"/apis/coordination.k8s.io/v1/namespaces/default/leases/{holder.lease}")["spec"]


def within(condition, what, limit):
    """Waits; gives how long it took."""
    began = time.monotonic()
    wait_for(condition, what, limit)
    return time.monotonic() - began


def test_one_of_two_writes_and_both_serve(api, site, leader, replica):
    other = replica()
    other.serves_within(5, site.host)
    site.add("second")
    wait_for(lambda: addresses(api, site.namespace, "second") == [ADDRESS], "it is told", 5)
    time.sleep(2 * RETRY)
    assert leads(leader) and not leads(other)
    assert writes(leader) >= 2 and writes(other) == 0


def test_when_the_leader_is_killed_the_other_takes_over(api, site, leader, replica):
    other = replica()
    time.sleep(RETRY)
    leader.kill()
    site.add("second")
    took = within(lambda: leads(other), "the other leads", LEASE + 2 * RETRY)
    assert took > LEASE - DEADLINE, "not before the lease has run out"
    wait_for(lambda: addresses(api, site.namespace, "second") == [ADDRESS], "it is told", 5)
    assert lease(api, other)["leaseTransitions"] == 1
    # What the first had written stands, and is not written again.
    wait_for(lambda: writes(other, "Ingress"), "the write is counted", 5)
    assert writes(other, "Ingress") == 1


def test_when_the_leader_ends_the_other_takes_over_at_once(api, site, leader, replica):
    other = replica()
    leader.terminate()
    within(lambda: leads(other), "the other leads", 2 * RETRY)
    assert leader.exit_code() == 0
    assert lease(api, other)["leaseTransitions"] == 1


def test_a_leader_that_is_cut_off_stops_before_another_begins(control_plane, site, replica, proxy, way_of_its_own):
    first = replica()
    wait_for(lambda: leads(first), "the first leads", 5)
    other = way_of_its_own
    other.start("--lease", f"default/{first.lease}", "--publish-address", ADDRESS)
    time.sleep(RETRY)
    with proxy.refusing():
        began = time.monotonic()
        stopped = began_other = None
        while began_other is None:
            assert time.monotonic() - began < LEASE + 2 * RETRY
            if not leads(first) and stopped is None:
                stopped = time.monotonic() - began
            if leads(other):
                began_other = time.monotonic() - began
            time.sleep(0.05)
        assert stopped is not None and stopped < began_other
        assert first.serves(site.host)
    time.sleep(2 * RETRY)
    assert leads(other) and not leads(first)


def test_without_the_permission_it_serves(api, site, replica):
    api.apply(role("restricted", *(rule for rule in RULES if "list" in rule[2])))
    restricted = replica(user="restricted")
    restricted.serves_within(5, site.host)
    wait_for(lambda: restricted.logged("WARN", "lease", "forbidden"), "it is told", 10)
    assert not leads(restricted) and writes(restricted) == 0


@pytest.fixture
def way_of_its_own(control_plane, tmp_path):
    """A controller that reaches the API server where others don't."""
    proxy = Proxy(control_plane.port)
    controller = Steadygate(tmp_path, proxy.url)
    yield controller
    controller.kill()
    proxy.close()
    print(controller.log())
