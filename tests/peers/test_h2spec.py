"""h2spec, the conformance test of HTTP/2, HPACK included, against the TLS listener."""

import os
import re
import subprocess

import pytest

from manifests import ingress, secret, service


@pytest.mark.timeout(300)
def test_every_case_passes(gateway, http_backend, certificate):
    gateway.serve(
        service("one", http_backend().port),
        secret("tls", certificate("localhost")),
        ingress("one", {"/": "one"}, secret="tls"),
    )
    run = subprocess.run(
        [os.environ["H2SPEC"], "--tls", "--insecure", "--host", "localhost", "--port", str(gateway.https),
         "--timeout", "3"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    summary = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", run.stdout)
    assert summary, run.stdout + run.stderr
    tests, passed, _, failed = map(int, summary.groups())
    assert failed == 0 and run.returncode == 0, run.stdout[run.stdout.find("Failures:") :]
    assert tests > 140 and passed > 0.9 * tests
