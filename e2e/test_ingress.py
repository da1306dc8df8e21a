"""The Ingress API, as the upstream conformance suite asks for it: default backend, hosts, paths, classes, balancing, TLS."""

from collections import Counter

import pytest

from client import ask, certificate, certificate_shown, der, unverified
from kubernetes import wait_until
from manifests import deploy, ingress, ingress_class, path, rule, tls_secret


@pytest.fixture(scope="module")
def site(kubectl, controller, module_namespace):
    """`site(*objects)`: applies them beside the backends `a`, `b` and `c`; `site.ask(host, path)` gives an answer."""
    deploy(module_namespace, "a", "b", "c")
    return Site(kubectl, controller, module_namespace)


class Site:
    def __init__(self, kubectl, controller, namespace):
        self.kubectl, self.controller, self.namespace = kubectl, controller, namespace

    def apply(self, *objects):
        self.namespace.apply(*objects)

    def ask(self, host, path="/", **more):
        return ask(self.controller.address, path, host, **more)

    def service(self, host, path="/", **more):
        """The name of the Service whose pod answered, else the status."""
        answer = self.ask(host, path, **more)
        return answer.pod.rsplit("-", 2)[0] if answer.pod else answer.status


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("where", [("/", "any.default.example"), ("/deep/er?q=1", "other.default.example")])
def test_an_ingress_without_rules_sends_everything_to_its_default_backend(site, method, where):
    where_path, host = where
    site.apply(ingress("default-backend", default="a"))
    wait_until(lambda: site.ask(host).status == 200)
    answer = site.ask(host, where_path, method=method)
    assert answer.status == 200
    # The upstream suite asks every answer for these, whatever the backend says of itself.
    assert [name for name in ("content-length", "content-type", "date", "server") if not answer.headers.get(name)] == []
    assert answer.headers["server"] == "steadygate"
    if method != "HEAD":
        assert (answer.json["host"], answer.json["method"]) == (host, method)
    site.namespace("delete", "ingress", "default-backend")


HOSTS = [
    ("exact.hosts.example", "a"),
    ("EXACT.hosts.example", "a"),
    ("exact.hosts.example:80", "a"),
    ("one.wild.hosts.example", "b"),
    ("two.wild.hosts.example", "b"),
    ("special.wild.hosts.example", "c"),
    ("one.two.wild.hosts.example", 404),
    ("wild.hosts.example", 404),
    ("sub.exact.hosts.example", 404),
    ("nobody.example", 404),
]


def test_host_rules(site):
    site.apply(
        ingress(
            "hosts",
            rule("exact.hosts.example", path("/", "a")),
            rule("*.wild.hosts.example", path("/", "b")),
            rule("special.wild.hosts.example", path("/", "c")),
        )
    )
    wait_until(lambda: site.service("exact.hosts.example") == "a")
    assert [(host, site.service(host)) for host, _ in HOSTS] == HOSTS


PATHS = [
    # Exact
    ("/exact", "a"),
    ("/exact/", 404),
    ("/EXACT", 404),
    ("/exact/more", 404),
    # Prefix, by whole elements
    ("/prefix", "b"),
    ("/prefix/", "b"),
    ("/prefix/more", "b"),
    ("/prefixed", 404),
    ("/PREFIX", 404),
    # A slash at the end of a Prefix means nothing
    ("/slash", "b"),
    ("/slash/", "b"),
    ("/slash/more", "b"),
    # The longest wins
    ("/aaa", "a"),
    ("/aaa/bbb", "b"),
    ("/aaa/bbb/ccc", "b"),
    ("/aaa/ccc", "a"),
    # Exact before Prefix
    ("/both", "c"),
    ("/both/more", "a"),
    ("/", 404),
]


def test_path_rules(site):
    site.apply(
        ingress(
            "paths",
            rule(
                "paths.example",
                path("/exact", "a", "Exact"),
                path("/prefix", "b"),
                path("/slash/", "b"),
                path("/aaa/bbb", "b"),
                path("/aaa", "a"),
                path("/both", "a"),
                path("/both", "c", "Exact"),
            ),
        )
    )
    wait_until(lambda: site.service("paths.example", "/exact") == "a")
    assert [(path, site.service("paths.example", path)) for path, _ in PATHS] == PATHS


def test_a_prefix_of_one_slash_takes_every_path_and_query_strings_reach_the_backend(site):
    site.apply(ingress("root", rule("root.example", path("/", "a"))))
    wait_until(lambda: site.service("root.example") == "a")
    assert site.service("root.example", "/any/thing") == "a"
    assert site.ask("root.example", "/x?a=1&b=%20").json["path"] == "/x?a=1&b=%20"


def test_classes_decide_who_serves(site):
    others = ingress_class("of-somebody-else", controller="example.com/other")
    site.kubectl.apply(others)
    site.apply(
        ingress("other", rule("other.classes.example", path("/", "a")), cls="of-somebody-else"),
        ingress("missing", rule("missing.classes.example", path("/", "a")), cls="there-is-none"),
        ingress("ours", rule("ours.classes.example", path("/", "a"))),
        ingress(
            "annotated",
            rule("annotated.classes.example", path("/", "a")),
            cls=None,
            annotations={"kubernetes.io/ingress.class": "steadygate"},
        ),
        ingress("unnamed", rule("unnamed.classes.example", path("/", "a")), cls=None),
    )
    wait_until(lambda: site.service("ours.classes.example") == "a")
    hosts = ["other", "missing", "annotated", "unnamed"]
    seen = {host: site.service(f"{host}.classes.example") for host in hosts}
    assert seen == {"other": 404, "missing": 404, "annotated": "a", "unnamed": 404}

    # Once the class is the default, who names none is served; and not any more when it no longer is.
    default = "ingressclass.kubernetes.io/is-default-class"
    site.kubectl("annotate", "ingressclass", "steadygate", f"{default}=true")
    wait_until(lambda: site.service("unnamed.classes.example") == "a")
    site.kubectl("annotate", "ingressclass", "steadygate", f"{default}-")
    wait_until(lambda: site.service("unnamed.classes.example") == 404)
    site.kubectl("delete", "ingressclass", "of-somebody-else")


def test_ten_pods_share_the_requests(site):
    deploy(site.namespace, "ten", replicas=10)
    site.apply(ingress("ten", rule("ten.example", path("/", "ten"))))
    wait_until(lambda: len({site.ask("ten.example").pod for _ in range(30)}) == 10)
    shares = Counter(site.ask("ten.example").pod for _ in range(1000))
    # Each replica of the controller gives turns of its own, so a turn more or less each.
    assert len(shares) == 10 and max(shares.values()) - min(shares.values()) <= 10, shares


def test_tls_by_server_name_and_redirects_where_asked(site):
    first, second = certificate("first.tls.example"), certificate("*.tls.example")
    site.apply(
        tls_secret("first", *first),
        tls_secret("second", *second),
        ingress(
            "tls",
            rule("first.tls.example", path("/", "a")),
            rule("second.tls.example", path("/", "b")),
            tls=[("first", ["first.tls.example"]), ("second", ["second.tls.example"])],
        ),
    )
    wait_until(lambda: site.service("first.tls.example", port=443, tls=unverified()) == "a")
    for name, (crt, _), service in [("first", first, "a"), ("second", second, "b")]:
        host = f"{name}.tls.example"
        assert certificate_shown(site.controller.address, host) == der(crt)
        assert site.service(host, port=443, tls=unverified()) == service
        assert site.service(host) == service, "nothing is redirected that nobody asked to have redirected"
    site.namespace("annotate", "ingress", "tls", "steadygate.io/ssl-redirect=true")
    wait_until(lambda: site.ask("first.tls.example").status == 301)
    assert site.ask("first.tls.example", "/x?y").headers["location"] == "https://first.tls.example/x?y"


def test_status_has_the_address_of_the_service(site):
    site.apply(ingress("status", rule("status.example", path("/", "a"))))

    def addresses():
        status = site.namespace.json("get", "ingress", "status")["status"]
        return [entry.get("ip") for entry in status.get("loadBalancer", {}).get("ingress", [])]

    wait_until(lambda: addresses() == [site.controller.address])
