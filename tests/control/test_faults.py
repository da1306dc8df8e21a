"""Whatever happens between the controller and the API server: requests are served, nothing is removed because a list
failed, and once the server is well again changes are served soon."""

import time

import pytest

import objects
from fault_proxy import everything, status
from gateway import wait_for
from steadygate import API_TIMEOUT, Traffic

# Within which a change is served once the server answers again: the longest pause between two tries is 10 s, and faults
# here are shorter than that.
RECOVERY = 8
# The same of a change while all is well.
SOON = 3


def is_watch_of(resource):
    return lambda request: request.watches and request.resource == resource


@pytest.fixture
def change(site, serving):
    """Makes a change and waits until it is served; gives how long that took."""

    def one(name, within=RECOVERY):
        host = site.add(name)
        return serving.serves_within(within, host)

    return one


FAULTS = {
    "nobody listens": lambda proxy: proxy.refusing(),
    "history is gone": lambda proxy: proxy.answering(410, status(410, "Expired")),
    "internal error": lambda proxy: proxy.answering(500, status(500, "InternalError")),
    "unavailable": lambda proxy: proxy.answering(503, "no server is ready to answer"),
    "token refused": lambda proxy: proxy.answering(401, status(401, "Unauthorized")),
    "not permitted": lambda proxy: proxy.answering(403, status(403, "Forbidden")),
    "a balancer without a server": lambda proxy: proxy.answering(404, "<html>nothing here</html>", when=lambda _: True),
    "no JSON": lambda proxy: proxy.answering(200, "<html>log in first</html>"),
    "empty answers": lambda proxy: proxy.answering(200, ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_serves_while_the_server_is_unwell(proxy, serving, site, change, fault):
    gateway = objects.application_gateway(site.namespace, "gateway", f"gateway.{site.host}")
    site.api.apply(gateway)
    serving.serves_within(2, f"gateway.{site.host}")
    swaps = serving.metric("steadygate_table_swaps_total")
    with Traffic(serving, site.host), Traffic(serving, f"gateway.{site.host}"):
        with FAULTS[fault](proxy):
            time.sleep(2.5)
            late = site.add("late")
            assert serving.metric("steadygate_table_swaps_total") == swaps, "nothing changed while nothing was known"
            assert serving.readiness()[0] == 200
        serving.serves_within(RECOVERY, late)
        change("later", within=SOON)
    site.api.delete(gateway)


def test_a_server_that_falls_silent_is_noticed(proxy, serving, site, change):
    """No byte and no end comes: watches are given up a little after the server should have ended them."""
    with Traffic(serving, site.host):
        with proxy.hanging():
            late = site.add("late")
            time.sleep(API_TIMEOUT)
        serving.serves_within(2 * API_TIMEOUT + 7, late)
        change("later", within=SOON)


def test_connections_that_fell_silent_are_replaced(proxy, serving, site):
    """As after a firewall has forgotten them: new connections work, old ones stay silent."""
    with Traffic(serving, site.host):
        with proxy.hanging(everything):
            pass
        late = site.add("late")
        serving.serves_within(API_TIMEOUT + 7, late)


def test_a_list_that_hangs_is_given_up(proxy, steadygate, site):
    with proxy.hanging(everything):
        steadygate.launch()
        time.sleep(1)
        assert steadygate.readiness()[0] == 503
    began = time.monotonic()
    while steadygate.readiness()[0] != 200:
        assert time.monotonic() - began < 2 * API_TIMEOUT + 15, steadygate.readiness()
        time.sleep(0.05)
    steadygate.serves_within(2, site.host)


def test_a_watch_cut_within_an_event(proxy, serving, site, change):
    with Traffic(serving, site.host):
        proxy.cut_next_event(is_watch_of("ingresses"))
        change("cut")
        change("whole", within=SOON)


def test_too_many_requests_waits_as_asked(proxy, serving, site, change):
    """Retry-After is obeyed: no second try comes before it is over."""
    with Traffic(serving, site.host):
        began = time.monotonic()
        with proxy.answering(429, "slow down", when=is_watch_of("ingresses"), retry_after=5):
            time.sleep(2.5)
            tries = proxy.asked(is_watch_of("ingresses"), since=began)
            assert len(tries) <= 2, [str(request) for request in tries]
            late = site.add("late")
        serving.serves_within(RECOVERY, late)


def test_a_server_that_does_not_stream_lists(proxy, steadygate, site):
    """Lists come page by page then."""
    message = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
    refused = lambda request: request.streams  # noqa: E731
    with proxy.answering(422, status(422, "Invalid", message), when=refused):
        steadygate.start()
        steadygate.serves_within(2, site.host)
        steadygate.serves_within(SOON, site.add("later"))
        assert proxy.asked(lambda request: request.lists and request.resource == "ingresses")


def test_trouble_is_reported_once_and_its_end_once(proxy, serving, site):
    wait_for(lambda: serving.logged("ingresses", "watch is well"), "the watch is well")
    before = serving.log()
    with proxy.answering(500, status(500, "InternalError", "the disk is full"), when=is_watch_of("ingresses")):
        time.sleep(2)
        wait_for(lambda: len(proxy.asked(is_watch_of("ingresses"))) > 3, "it is tried again and again")
    serving.serves_within(RECOVERY, site.add("later"))

    def logged():
        lines = serving.log()[len(before) :].splitlines()
        return [line for line in lines if "ingresses" in line and "DEBUG" not in line]

    wait_for(lambda: len(logged()) > 1, "the end is logged")
    assert len([line for line in logged() if "the disk is full" in line]) == 1, logged()
    assert len(logged()) == 2, logged()


def test_the_end_of_trouble_needs_no_event(proxy, serving):
    """A watch that is accepted again is well, though nothing changes."""
    failing = lambda: serving.metric("steadygate_watches_failing")  # noqa: E731
    with proxy.answering(500, status(500, "InternalError")):
        deadline = time.monotonic() + 5
        while not failing():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    deadline = time.monotonic() + RECOVERY
    while failing():
        assert time.monotonic() < deadline, serving.admin_text("/metrics")
        time.sleep(0.05)
