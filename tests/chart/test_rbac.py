"""Rights: exactly those of the tables below, and names that no other release has."""

import pytest

from chart import CASES, objects, of_kind

SERVED = {
    ("", "services"): {"list", "watch"},
    ("", "pods"): {"list", "watch"},
    ("", "secrets"): {"get", "list", "watch"},
    ("", "configmaps"): {"get", "list", "watch"},
    ("discovery.k8s.io", "endpointslices"): {"list", "watch"},
    ("networking.k8s.io", "ingresses"): {"list", "watch"},
    ("networking.k8s.io", "ingresses/status"): {"patch"},
    ("steadygate.io", "applicationgateways"): {"list", "watch"},
    ("steadygate.io", "applicationgateways/status"): {"patch"},
    ("gateway.networking.k8s.io", "referencegrants"): {"list", "watch"},
    ("appgw.ingress.azure.io", "azureapplicationgatewayrewrites"): {"list", "watch"},
    ("appgw.ingress.k8s.io", "azureingressprohibitedtargets"): {"list", "watch"},
    ("events.k8s.io", "events"): {"create"},
}
READ = {what: verbs for what, verbs in SERVED.items() if verbs <= {"get", "list", "watch"}}
CLASSES = {("networking.k8s.io", "ingressclasses"): {"list", "watch"}}
GATEWAY_API = {
    ("gateway.networking.k8s.io", "gateways"): {"list", "watch"},
    ("gateway.networking.k8s.io", "httproutes"): {"list", "watch"},
    ("gateway.networking.k8s.io", "gateways/status"): {"patch"},
    ("gateway.networking.k8s.io", "httproutes/status"): {"patch"},
}
GATEWAY_CLASSES = {
    ("gateway.networking.k8s.io", "gatewayclasses"): {"list", "watch"},
    ("gateway.networking.k8s.io", "gatewayclasses/status"): {"patch"},
    ("", "namespaces"): {"list", "watch"},
}
LEASE = {
    ("coordination.k8s.io", "leases", "steadygate"): {"get", "update"},
}
OWN_SERVICE = {("", "services", "steadygate"): {"list", "watch"}}

EVERYWHERE, OWN = None, "steadygate"
CLUSTER_WIDE = [(EVERYWHERE, SERVED), (EVERYWHERE, CLASSES), (OWN, LEASE)]
LIMITED = [("shop", SERVED), ("chat", SERVED), (EVERYWHERE, CLASSES)]
EXPECTED = [
    ("{}", CLUSTER_WIDE),
    (CASES["everything"], [(EVERYWHERE, SERVED | GATEWAY_API), (EVERYWHERE, CLASSES | GATEWAY_CLASSES), (OWN, LEASE)]),
    (CASES["host-ports"], CLUSTER_WIDE),
    (CASES["limited-namespaces"], [*LIMITED, (OWN, LEASE | OWN_SERVICE)]),
    # Its own Service among those that it serves; and none whose address it would tell.
    ("watchNamespaces: [steadygate]", [(OWN, SERVED), (EVERYWHERE, CLASSES), (OWN, LEASE)]),
    ("{watchNamespaces: [shop, chat], publishAddresses: [192.0.2.1]}", [*LIMITED, (OWN, LEASE)]),
    ("{watchNamespaces: [shop, chat], hostPort: {enabled: true}}", [*LIMITED, (OWN, LEASE)]),
    # Whoever writes no status needs no right to write anything.
    ("status: {write: false}", [(EVERYWHERE, READ), (EVERYWHERE, CLASSES)]),
]


def roles_of(found):
    return of_kind("ClusterRole", found) + of_kind("Role", found)


def rights(role):
    """Verbs by group and resource, and by name where a rule has names."""
    table = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in [[name] for name in rule.get("resourceNames", [])] or [[]]:
                    table.setdefault((group, resource, *name), set()).update(rule["verbs"])
    return table


@pytest.mark.parametrize(("values", "expected"), EXPECTED)
def test_rights_are_those_of_the_table(values, expected):
    found = objects(values)
    roles = [(role["metadata"].get("namespace"), rights(role)) for role in roles_of(found)]
    assert sorted(roles, key=order) == sorted(expected, key=order)


def order(entry):
    namespace, table = entry
    return namespace or "", sorted(table)


@pytest.mark.parametrize("values", [values for values, _ in EXPECTED])
def test_no_wildcard(values):
    for role in roles_of(objects(values)):
        for rule in role["rules"]:
            assert not [word for words in rule.values() for word in words if "*" in word]
            assert rule.keys() <= {"apiGroups", "resources", "resourceNames", "verbs"}


@pytest.mark.parametrize("values", [values for values, _ in EXPECTED])
def test_each_role_is_bound_once_and_to_the_account_of_the_pods(values):
    found = objects(values)
    [account] = of_kind("ServiceAccount", found)
    subject = {"kind": "ServiceAccount"} | {key: account["metadata"][key] for key in ("name", "namespace")}
    bound = set()
    for binding in of_kind("ClusterRoleBinding", found) + of_kind("RoleBinding", found):
        assert binding["subjects"] == [subject]
        bound.add((binding["roleRef"]["kind"], binding["metadata"].get("namespace"), binding["roleRef"]["name"]))
    roles = [(role["kind"], role["metadata"].get("namespace"), role["metadata"]["name"]) for role in roles_of(found)]
    assert bound == set(roles) and len(bound) == len(roles)


def names(found):
    """What would clash in one cluster. Namespaced objects have the release's or a served namespace."""
    return {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in found}


SECOND = CASES["second-class"]
LONG = "n" * 63


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"release": "gate", "namespace": "a"}, {"release": "gate", "namespace": "b"}),
        ({"release": "one", "namespace": "a"}, {"release": "two", "namespace": "a"}),
        ({"release": "c", "namespace": "a-b"}, {"release": "b-c", "namespace": "a"}),
        ({"release": "gate", "namespace": "a"}, {"release": "gate-classes", "namespace": "a"}),
        ({"release": "one", "namespace": LONG}, {"release": "two", "namespace": LONG}),
    ],
)
@pytest.mark.parametrize("served", ["", "\nwatchNamespaces: [shop]"])
def test_two_releases_have_no_name_in_common(one, other, served):
    first, second = objects(CASES["defaults"] + served, **one), objects(SECOND + served, **other)
    assert names(first) & names(second) == set()
