"""Least privilege, by the audit log: everything that the chart grants is used, nothing is refused, nothing more is asked."""

# Granted for servers without streaming lists, which this one has; `tests/control` shows that they are used there.
ONLY_ON_OLDER_SERVERS = {"list"}


def granted(kubectl, controller):
    """(group, resource, verb) of every rule bound to the controller's service account."""
    rules = []
    for kind, namespaced in [("clusterrole", False), ("role", True)]:
        bindings = kubectl.json("get", f"{kind}bindings", *(["-A"] if namespaced else []))["items"]
        for binding in bindings:
            subjects = binding.get("subjects") or []
            if not any(s.get("namespace") == controller.namespace.name and s["name"] == controller.name for s in subjects):
                continue
            where = ["-n", binding["metadata"]["namespace"]] if namespaced else []
            rules += kubectl.json("get", binding["roleRef"]["kind"], binding["roleRef"]["name"], *where)["rules"]
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def asked(cluster, controller):
    """The same of what the controller asked since the cluster began; and what was refused."""
    user = f"system:serviceaccount:{controller.namespace.name}:{controller.name}"
    used, refused = set(), []
    for entry in cluster.audit():
        if entry["user"].get("username") != user or "objectRef" not in entry:
            continue
        about = entry["objectRef"]
        resource = about["resource"] + (f"/{about['subresource']}" if about.get("subresource") else "")
        used.add((about.get("apiGroup", ""), resource, entry["verb"]))
        # A namespace that is going away refuses too; this is about rights.
        if entry.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid":
            refused.append((about.get("apiGroup", ""), resource, entry["verb"]))
    return used, refused


def test_each_verb_granted_is_used_and_none_is_missing(kubectl, cluster, controller):
    rules = granted(kubectl, controller)
    used, refused = asked(cluster, controller)
    # An API server that has just started refuses what it will permit once it has read its own roles.
    assert set(refused) - rules == set()
    assert not any("*" in part for rule in rules for part in rule)
    unused = {rule for rule in rules - used if rule[2] not in ONLY_ON_OLDER_SERVERS}
    assert unused == set(), "granted and never used"
    assert used <= rules, "used by another way than the chart's grants"


def test_the_pods_are_restricted(kubectl, controller):
    namespace = kubectl.json("get", "namespace", controller.namespace.name)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in controller.pods().values():
        container = pod["spec"]["containers"][0]["securityContext"]
        assert container["readOnlyRootFilesystem"] and container["capabilities"] == {"drop": ["ALL"]}


def test_secrets_that_nobody_refers_to_are_never_fetched(kubectl, cluster, controller, namespace):
    namespace("create", "secret", "generic", "private", "--from-literal=a=b")
    user = f"system:serviceaccount:{controller.namespace.name}:{controller.name}"
    fetched = {
        (entry["objectRef"].get("namespace"), entry["objectRef"].get("name"))
        for entry in cluster.audit()
        if entry["user"].get("username") == user
        and entry.get("objectRef", {}).get("resource") == "secrets"
        and entry["verb"] == "get"
    }
    referenced = {
        (ingress["metadata"]["namespace"], tls["secretName"])
        for ingress in kubectl.json("get", "ingresses", "-A")["items"]
        for tls in ingress["spec"].get("tls", [])
    }
    assert (namespace.name, "private") not in fetched
    assert not any(name == "private" for _, name in fetched | referenced)
