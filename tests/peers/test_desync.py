"""The public corpora of HTTP/1.1 (`corpora`) with real servers as members: each reads what was sent, request by request, and nothing else."""

import pytest

from corpora.runner import Result, run
from gateway import wait_for
from manifests import ingress, service
from members import MEMBERS, Member
from test_corpora import CASES

#: What a member makes of a request that has come as it was sent.
OWN_WAYS = {
    ("hypercorn", "COMP-METHOD-CASE"): "It takes a method in lower case for the one in capitals.",
    ("jetty", "/x?q=caf\xe9"): "It reads queries as UTF-8.",
    ("jetty", "/x?q=\x82\xa0"): "It reads queries as UTF-8.",
}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_reads_what_was_sent(gateway, tmp_path, name):
    member = Member(name, tmp_path)
    gateway.serve(service("one", member.port), ingress("one", {"/": "one"}))
    answered = run(gateway.http, list(CASES.values()))
    wait_for(lambda: gateway.in_progress() == 0, "nothing is in progress")
    gateway.kill()
    requests = member.close()
    results = {case: Result(raw, requests.get(client, [])) for case, (client, raw) in answered.items()}
    misread = {
        case: (result.statuses, result.reads)
        for case, result in results.items()
        if not result.is_read_as_sent(CASES[case]) and (name, case) not in OWN_WAYS
    }
    assert misread == {}
    # What a member refuses by itself are few.
    assert sum(result.is_allowed(CASES[case]) for case, result in results.items()) > 0.9 * len(CASES)
