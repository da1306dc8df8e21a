"""Secrets: only those that something served refers to are fetched; the others are not even looked into."""

import time

import objects
from fault_proxy import status
from gateway import wait_for


def gets(proxy, name):
    return proxy.asked(lambda request: request.resource == "secrets" and request.name == name)


def is_get_of(name):
    return lambda request: request.resource == "secrets" and request.name == name


def secure(site, name, secret, **named):
    """An Ingress with this Secret; gives its host."""
    return site.add(name, secret=secret, **named)


def test_only_secrets_that_something_served_refers_to_are_fetched(proxy, steadygate, site, certificate):
    used, unused = certificate(f"used.{site.host}"), certificate("nobody.test")
    site.api.apply(
        objects.secret(site.namespace, "used", used),
        objects.secret(site.namespace, "unused", unused),
        objects.secret(site.namespace, "of-another-class", unused),
    )
    host = secure(site, "used", "used")
    secure(site, "foreign", "of-another-class", ingress_class="foreign")
    steadygate.start()
    assert steadygate.certificate(host) == used.crt
    assert gets(proxy, "unused") == [] and gets(proxy, "of-another-class") == []
    assert len(gets(proxy, "used")) == 1
    others = proxy.asked(lambda request: request.resource in ("secrets", "configmaps") and request.name is None)
    assert others and all(request.is_metadata_only for request in others)

    # One that begins to be referred to is fetched then; one that no longer is, is forgotten.
    late = secure(site, "late", "unused")
    wait_for(lambda: steadygate.certificate(late) == unused.crt, "the certificate is shown", 3)
    assert len(gets(proxy, "unused")) == 1


def test_the_first_table_has_its_certificates(proxy, steadygate, site, certificate):
    """Ready means that TLS works too."""
    made = certificate(f"*.{site.host}")
    hosts = []
    for number in range(40):
        site.api.apply(objects.secret(site.namespace, f"secret-{number}", made))
        hosts.append(secure(site, f"host-{number}", f"secret-{number}"))
    steadygate.start()
    assert steadygate.certificate(hosts[-1]) == made.crt
    assert not steadygate.logged("SecretNotFound")


def test_a_new_certificate_is_shown_at_once(serving, site, certificate):
    site.api.apply(objects.secret(site.namespace, "tls", certificate(f"secure.{site.host}")))
    host = secure(site, "secure", "tls")
    wait_for(lambda: serving.certificate(host), "a certificate is shown", 2)
    for _ in range(3):
        renewed = certificate(host)
        site.api.apply(objects.secret(site.namespace, "tls", renewed))
        began = time.monotonic()
        wait_for(lambda: serving.certificate(host) == renewed.crt, "the new certificate is shown", 3)
        print(f"a new certificate was shown after {(time.monotonic() - began) * 1000:.0f} ms")
    assert not serving.logged("SecretNotFound"), "it was never called missing"


def test_what_fails_to_be_fetched_keeps_its_last_version(proxy, serving, site, certificate):
    first, second = certificate(f"secure.{site.host}"), certificate(f"secure.{site.host}")
    site.api.apply(objects.secret(site.namespace, "tls", first))
    host = secure(site, "secure", "tls")
    wait_for(lambda: serving.certificate(host) == first.crt, "the certificate is shown", 2)
    denied = status(403, "Forbidden", 'User "steadygate" cannot get resource "secrets"')
    with proxy.answering(403, denied, when=is_get_of("tls")):
        site.api.apply(objects.secret(site.namespace, "tls", second))
        wait_for(lambda: serving.logged("Secret", "tls", "cannot get resource"), "it is logged", 2)
        assert serving.certificate(host) == first.crt
        # Meanwhile everything else goes on.
        serving.serves_within(3, site.add("other"))
    wait_for(lambda: serving.certificate(host) == second.crt, "the new certificate is shown", 8)
    lines = serving.logged("ERROR", "Secret", "cannot get resource")
    assert len(lines) == 1 and f"get secrets in namespace {site.namespace}" in lines[0]


def test_a_fetch_that_hangs_holds_up_nothing(proxy, steadygate, site, certificate):
    made = certificate(f"*.{site.host}")
    site.api.apply(objects.secret(site.namespace, "slow", made), objects.secret(site.namespace, "quick", made))
    slow, quick = secure(site, "slow", "slow"), secure(site, "quick", "quick")
    with proxy.hanging(is_get_of("slow")):
        steadygate.start(api_timeout=4)
        assert steadygate.certificate(quick) == made.crt
        assert steadygate.certificate(slow) is None
        steadygate.serves_within(3, site.add("other"))
    wait_for(lambda: steadygate.certificate(slow) == made.crt, "the certificate is shown", 12)


def test_a_secret_that_is_gone_is_gone(serving, site, certificate):
    tls = objects.secret(site.namespace, "tls", certificate(f"secure.{site.host}"))
    site.api.apply(tls)
    host = secure(site, "secure", "tls")
    wait_for(lambda: serving.certificate(host), "the certificate is shown", 2)
    site.api.delete(tls)
    wait_for(lambda: serving.certificate(host) is None, "no certificate is shown", 2)
    assert serving.logged("SecretNotFound", f"{site.namespace}/tls")


def test_no_byte_of_a_secret_is_logged(proxy, make, site, certificate):
    """Not even when an answer is spoilt on its way."""
    made = certificate(f"secure.{site.host}")
    site.api.apply(objects.secret(site.namespace, "tls", made))
    steadygate = make()
    body = objects.secret(site.namespace, "tls", made) | {"data": "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t"}
    with proxy.answering(200, body, when=is_get_of("tls")):
        secure(site, "secure", "tls")
        steadygate.launch(log="trace")
        wait_for(steadygate.is_ready, "the gateway is ready")
        wait_for(lambda: len(gets(proxy, "tls")) > 1, "it is tried again", 10)
    for line in [made.key.splitlines()[1], "LS0tLS1CRUdJTiBQ"]:
        assert line not in steadygate.log()
