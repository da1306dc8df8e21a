"""The public corpora of HTTP/1.1 (`corpora`): what is answered, what reaches a member, and where the next request begins."""

import pytest

from corpora import further, harmless, http11probe, llhttp, smuggling
from corpora.runner import send_all
from strict_reader import StrictMember

TABLES = http11probe, smuggling, llhttp, harmless, further
CASES = {case.name: case for table in TABLES for case in table.CASES}


def test_no_name_is_there_twice():
    assert len(CASES) == sum(len(table.CASES) for table in TABLES)


@pytest.fixture(scope="module", params=[1 << 20, 7], ids=["at once", "in pieces"])
def results(request, tmp_path_factory):
    return send_all(StrictMember(), list(CASES.values()), tmp_path_factory.mktemp("corpora"), request.param)


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_answered_as_the_rfc_demands(results, name):
    assert (fault := results[name].verdict(CASES[name])) is None, fault


def test_every_answer_has_a_record_and_every_refusal_a_reason(results):
    for name, result in results.items():
        answers = [(answer.status, answer["x-steadygate-reason"]) for answer in result.answers if answer]
        assert [(record["status"], record["reason"]) for record in result.records if record["status"] != 499] == answers, name
        assert all(reason for status, reason in answers if status >= 400), name
