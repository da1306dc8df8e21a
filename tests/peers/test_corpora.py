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

#: What hyper reads otherwise on the clients' side: it takes a request that is framed twice, drops a fragment, answers `PRI *` with nothing,
#: takes what follows a lone LF at the end of chunks for trailers, and refuses some targets that everybody else passes on.
KNOWN = {
    "RFC9112-3.2-FRAGMENT-IN-TARGET", "UTF-8 and a fragment", "a fragment", "MAL-H2-PREFACE", "SMUG-CHUNK-LF-TRAILER",
    '/x?q="a"', "/x?q=<a>", "/x/<a>", "/x/`a",
    "SMUG-CL-TE-BOTH", "SMUG-CLTE-PIPELINE", "SMUG-TECL-PIPELINE",
    "SMUG-CLTE-DESYNC", "SMUG-TECL-DESYNC", "SMUG-CLTE-CONN-CLOSE",
    "SMUG-TECL-CONN-CLOSE", "SMUG-CLTE-SMUGGLED-GET", "SMUG-CLTE-SMUGGLED-HEAD",
    "SMUG-CLTE-SMUGGLED-GET-TE-TRAILING-SPACE", "SMUG-CLTE-SMUGGLED-GET-TE-CASE-MISMATCH", "SMUG-TECL-SMUGGLED-GET",
}  # fmt: skip


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


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.xfail] if name in KNOWN else []) for name in CASES])
def test_a_case_is_answered_as_the_rfc_demands(results, name):
    assert (fault := results[name].verdict(CASES[name])) is None, fault
