"""Probes over HTTPS, of a backend that a private authority vouches for."""

import json
import ssl
import subprocess

import pytest

from curl import curl
from gateway import wait_for
from manifests import application_gateway


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """An authority, and a certificate of its for backend.example. Its own is ca.crt."""
    made = tmp_path_factory.mktemp("authority")
    for name in ("ca", "other"):
        openssl("req", "-x509", *KEY, "-subj", f"/CN={name}", "-keyout", made / f"{name}.key", "-out", made / f"{name}.crt",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    openssl("req", "-x509", *KEY, "-subj", "/CN=backend", "-keyout", made / "leaf.key", "-out", made / "leaf.crt",
            "-CA", made / "ca.crt", "-CAkey", made / "ca.key",
            "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:backend.example")  # fmt: skip
    return made


@pytest.fixture
def backend(http_backend, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "leaf.crt", authority / "leaf.key")
    return http_backend("tls", tls=context)


def manifests(backend, ca, match):
    probe = {"protocol": "Https", "host": "backend.example", "path": "/healthz", "interval": 1, "timeout": 5,
             "unhealthyThreshold": 1, "match": match}  # fmt: skip
    settings = {"protocol": "Https", "hostName": "backend.example", "trustedRootCertificates": [{"name": "ca"}]}
    objects = application_gateway("tls", backend.port, settings=settings, probe=probe)
    objects[0]["spec"]["trustedRootCertificates"] = [{"name": "ca", "secretRef": {"name": "ca"}}]
    metadata = {"name": "ca", "namespace": "default"}
    return [*objects, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"ca.crt": ca.read_text()}}]


def member(gateway):
    """The one member of the one pool, when it has been probed."""
    [[only]] = json.loads(gateway.admin_text("/debug/config"))["pools"].values()
    return only["last_probe"] and only


@pytest.mark.parametrize(
    "match, failure",
    [
        ({"statusCodes": ["200"]}, None),
        ({"statusCodes": ["200-299"], "body": '"server": "tls"'}, None),
        ({"statusCodes": ["200-299"], "body": "all is well"}, 'does not contain "all is well"'),
        ({"statusCodes": ["204", "300-399"]}, "answered 200, expected 204,300-399"),
    ],
    ids=["status", "body", "another body", "another status"],
)
def test_the_answer_that_is_wanted(gateway, backend, authority, match, failure):
    gateway.serve(manifests(backend, authority / "ca.crt", match))
    found = wait_for(lambda: member(gateway), "the member is probed")
    assert found["address"] == f"127.0.0.1:{backend.port}"
    if failure:
        assert found["health"] == "down"
        assert failure in found["last_probe"]
        assert curl(gateway.url("/always")).status == 503
    else:
        assert (found["health"], found["last_probe"]) == ("up", "200")
        assert curl(gateway.url("/always")).json()["server"] == "tls"


def test_down_and_up_again(gateway, backend, authority):
    gateway.serve(manifests(backend, authority / "ca.crt", {"statusCodes": ["200"]}))
    for health, named in [(200, "up"), (500, "down"), (200, "up")]:
        backend.health = health
        found = wait_for(lambda: (now := member(gateway)) and now["health"] == named and now, f"it is {named}")
        assert str(health) in found["last_probe"]


def test_an_authority_that_nobody_named_is_not_trusted(gateway, backend, authority):
    gateway.serve(manifests(backend, authority / "other.crt", {"statusCodes": ["200"]}))
    found = wait_for(lambda: member(gateway), "the member is probed")
    assert found["health"] == "down"
    assert "certificate" in found["last_probe"]
