"""The public corpora of HTTP/1.1 (`corpora`): what is answered, what reaches a member, and where the next request begins."""

import pytest

from corpora import further, harmless, http11probe, llhttp, smuggling
from corpora.runner import Result, run
from gateway import Gateway, wait_for
from manifests import ingress, service
from strict_reader import StrictReader
from wire import ScriptedBackend

TABLES = http11probe, smuggling, llhttp, harmless, further
CASES = {case.name: case for table in TABLES for case in table.CASES}


def test_no_name_is_there_twice():
    assert len(CASES) == sum(len(table.CASES) for table in TABLES)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """All cases have been sent, at once; the gateway and the member have ended, so that nothing more can come."""
    reader, gateway = StrictReader(), Gateway(tmp_path_factory.mktemp("corpora") / "manifests")
    backend = ScriptedBackend(reader)
    try:
        gateway.serve(service("one", backend.port), ingress("one", {"/": "one"}))
        answered = run(gateway.http, list(CASES.values()))
        wait_for(lambda: gateway.in_progress() == 0, "nothing is in progress")
    finally:
        gateway.kill()
        backend.close()
    while not backend.got_nothing():
        assert backend.next().done.wait(5)
    requests = {}
    for request in reader.received:
        requests.setdefault(request.client, []).append(request)
    return {name: Result(raw, requests.get(client, [])) for name, (client, raw) in answered.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_answered_as_the_rfc_demands(results, name):
    assert (fault := results[name].verdict(CASES[name])) is None, fault
