"""Several pools that take the requests of a rule together, each member with its weight."""

from collections import Counter

import pytest

from curl import curl
from gateway import wait_for
from manifests import application_gateway
from metrics import Metrics
from wire import ACCEPTED, HANDSHAKE, Client


def distributing(port, weights, algorithm="RoundRobin", affinity="Disabled"):
    """An ApplicationGateway whose rule has a policy: a pool by each address, with its weight. All have the same port."""
    [gateway] = application_gateway("contoso", port, settings={"cookieBasedAffinity": affinity})
    spec = gateway["spec"]
    spec["probes"] = [{"name": "p", "protocol": "Http", "host": "localhost", "path": "/", "interval": 1, "timeout": 1, "unhealthyThreshold": 1}]
    spec["backendHttpSettingsCollection"][0]["probe"] = {"name": "p"}
    spec["backendAddressPools"] = [{"name": address, "backendAddresses": [{"ipAddress": address}]} for address in weights]
    targets = [{"backendAddressPool": {"name": address}, "weightPerServer": weight} for address, weight in weights.items()]
    policy = {"name": "policy", "loadDistributionAlgorithm": algorithm, "loadDistributionTargets": targets}
    spec["loadDistributionPolicies"] = [policy]
    [rule] = spec["requestRoutingRules"]
    del rule["backendAddressPool"]
    rule["loadDistributionPolicy"] = {"name": "policy"}
    return gateway


@pytest.fixture
def backends(http_backend):
    """Two backends with one port, at two addresses of this machine."""
    first = http_backend("127.0.0.1")
    second = http_backend("127.0.0.2", first.port, address="127.0.0.2")
    return first, second


def shares(gateway, count, *arguments):
    return Counter(curl(gateway.url("/always"), *arguments).json()["server"] for _ in range(count))


def test_requests_are_shared_by_weight_among_members_that_are_up(gateway, backends):
    first, second = backends
    gateway.serve(distributing(first.port, {"127.0.0.1": 75, "127.0.0.2": 25}))
    wait_for(lambda: len(shares(gateway, 8)) == 2, "both are up")
    counted = shares(gateway, 80)
    assert abs(counted["127.0.0.1"] - 60) <= 3, counted
    metrics = Metrics(gateway.admin_text("/metrics"))
    assert metrics.total("pool_members") == 2, "each is counted once"
    first.health = 503
    wait_for(lambda: shares(gateway, 8) == {"127.0.0.2": 8}, "the one that is up takes all")


def test_a_client_stays_where_its_address_leads(gateway, backends):
    first, second = backends
    gateway.serve(distributing(first.port, {"127.0.0.1": 1, "127.0.0.2": 3}, "IpHash"), arguments=["--trusted-proxy", "127.0.0.0/8"])
    wait_for(lambda: second.connections and first.connections, "both are probed")

    def of(client):
        return ["-H", f"X-Forwarded-For: 198.51.100.{client}"]

    leads = {client: shares(gateway, 2, *of(client)) for client in range(40)}
    assert all(len(servers) == 1 for servers in leads.values()), "a client has one server"
    counted = Counter(server for servers in leads.values() for server in servers)
    assert 4 <= counted["127.0.0.1"] <= 18, counted
    first.health = 503
    stays = {client: servers for client, servers in leads.items() if "127.0.0.2" in servers}
    wait_for(lambda: "127.0.0.1" not in shares(gateway, 1, *of(min(set(leads) - set(stays)))), "it is down")
    assert all(shares(gateway, 2, *of(client)) == servers for client, servers in stays.items()), "others have not moved"


def test_a_cookie_leads_back_to_its_member_in_whichever_pool(gateway, backends):
    first, _ = backends
    gateway.serve(distributing(first.port, {"127.0.0.1": 100, "127.0.0.2": 1}, affinity="Enabled"))
    answers = []

    def rare():
        answers.append(curl(gateway.url("/x")))
        return answers[-1].json()["server"] == "127.0.0.2"

    wait_for(rare, "the one with the small weight has its turn", timeout=30)
    cookie = answers[-1].head["set-cookie"].split(";")[0]
    assert shares(gateway, 10, "-H", f"Cookie: {cookie}") == {"127.0.0.2": 10}


def test_a_weight_that_changes_closes_no_session(gateway, scripted):
    def script(exchange):
        exchange.send(ACCEPTED)
        while data := exchange.sock.recv(64):
            exchange.send(data)

    backend = scripted(script)
    gateway.serve(distributing(backend.port, {"127.0.0.1": 1}))
    with Client(gateway.http) as client:
        assert client.ask(HANDSHAKE).status == 101
        gateway.apply("site.json", distributing(backend.port, {"127.0.0.1": 9, "127.0.0.9": 90}))
        gateway.apply("site.json", application_gateway("contoso", backend.port))
        client.send(b"still here")
        assert client.read(10) == b"still here"
