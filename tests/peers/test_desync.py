"""The public corpora of HTTP/1.1 (`corpora`), and mutations of them, with real servers as members: each reads what was sent, request by
request, and nothing else."""

import pytest

from corpora.mutations import mutations
from corpora.runner import send_all
from members import MEMBERS, OWN_WAYS, Member
from strict_reader import StrictMember
from test_corpora import CASES

MUTATIONS = mutations(CASES.values(), 1000)


@pytest.fixture(scope="module")
def strictly(tmp_path_factory):
    """What the mutations are to a member that forgives nothing."""
    return send_all(StrictMember(), MUTATIONS, tmp_path_factory.mktemp("mutations"))


def test_no_mutation_is_passed_on_in_a_form_that_is_ambiguous(strictly):
    for case in MUTATIONS:
        result = strictly[case.name]
        assert result.faults == [], case.sent
        assert result.is_read_as_sent(result.reads), case.sent
        assert not {status for status in result.statuses if status >= 500} - {501, 505}, case.sent


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_reads_what_was_sent(strictly, tmp_path, name):
    cases, own_way = [*CASES.values(), *MUTATIONS], OWN_WAYS.get(name, str)
    results = send_all(Member(name, tmp_path), cases, tmp_path)
    sent = {case.name: [[*outcome.reads, "GET /end "] for outcome in case.outcomes] or [strictly[case.name].reads] for case in cases}
    misread = {
        name: (result.statuses, result.reads)
        for name, result in results.items()
        if not any(result.is_read_as_sent(map(own_way, reads)) for reads in sent[name])
    }
    assert misread == {}
    # What a member refuses by itself are few.
    assert sum(results[name].is_allowed(case) for name, case in CASES.items()) > 0.9 * len(CASES)
