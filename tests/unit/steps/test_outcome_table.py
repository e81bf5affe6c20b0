"""The outcome table says what is certain: every row is reached, and nothing falls through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.model.ops import Outcome
from chaoscheck.steps.base import Trouble
from chaoscheck.steps.classify import TABLE, Seen, classify, markdown, redirects_to_login

OK, FAIL, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN
GONE, PENDING, UNRECOGNISED, DROPPED = Outcome.GONE, Outcome.PENDING, Outcome.UNRECOGNISED, Outcome.DROPPED


def seen(status: int = 200, trouble: Trouble = Trouble.NONE, **more: bool) -> Seen:
    return Seen(status=status, trouble=trouble, **more)


# What was seen; the row and outcome of a write; the row and outcome of a read.
CASES: list[tuple[Seen, tuple[str, Outcome], tuple[str, Outcome]]] = [
    (seen(200, meets=True), ("as expected", OK), ("as expected", OK)),
    (seen(302, meets=True), ("as expected", OK), ("as expected", OK)),
    (seen(404, meets=True), ("as expected", OK), ("as expected", OK)),
    (seen(302, meets=True, to_login=True), ("as expected", OK), ("as expected", OK)),
    (seen(200), ("unexpected", UNKNOWN), ("unrecognised", UNRECOGNISED)),
    (seen(302), ("unexpected", UNKNOWN), ("unrecognised", UNRECOGNISED)),
    (seen(200, refused=True), ("refused", FAIL), ("gone as said", GONE)),
    (seen(200, gone=True, gone_said=True), ("unexpected", UNKNOWN), ("gone as said", GONE)),
    (seen(200, can_be_gone=True), ("unexpected", UNKNOWN), ("gone by expect", GONE)),
    (seen(200, can_be_gone=True, gone_said=True), ("unexpected", UNKNOWN), ("unrecognised", UNRECOGNISED)),
    (seen(200, pending=True), ("unexpected", UNKNOWN), ("not yet", PENDING)),
    (seen(404, pending=True, gone=True), ("refused by status", FAIL), ("not yet", PENDING)),
    (seen(503, pending=True), ("indefinite", UNKNOWN), ("indefinite", DROPPED)),
    (seen(302, to_login=True), ("unexpected", UNKNOWN), ("gone", GONE)),
    (seen(302, to_login=True, gone_said=True), ("unexpected", UNKNOWN), ("gone", GONE)),
    (seen(401), ("refused by status", FAIL), ("gone", GONE)),
    (seen(403), ("refused by status", FAIL), ("gone", GONE)),
    (seen(404), ("refused by status", FAIL), ("gone", GONE)),
    (seen(404, gone_said=True), ("refused by status", FAIL), ("gone", GONE)),
    (seen(400), ("refused by status", FAIL), ("unrecognised", UNRECOGNISED)),
    (seen(400, can_be_gone=True), ("refused by status", FAIL), ("gone by expect", GONE)),
    (seen(409), ("conflict or limit", UNKNOWN), ("conflict or limit", DROPPED)),
    (seen(429), ("conflict or limit", UNKNOWN), ("conflict or limit", DROPPED)),
    (seen(429, can_be_gone=True), ("conflict or limit", UNKNOWN), ("conflict or limit", DROPPED)),
    (seen(409, refused=True), ("refused", FAIL), ("gone as said", GONE)),
    (seen(408), ("indefinite", UNKNOWN), ("indefinite", DROPPED)),
    (seen(425), ("indefinite", UNKNOWN), ("indefinite", DROPPED)),
    (seen(499, refused=True), ("indefinite", UNKNOWN), ("indefinite", DROPPED)),
    (seen(500, can_be_gone=True), ("indefinite", UNKNOWN), ("indefinite", DROPPED)),
    (seen(502, refused=True, gone=True), ("indefinite", UNKNOWN), ("indefinite", DROPPED)),
    (seen(503), ("indefinite", UNKNOWN), ("indefinite", DROPPED)),
    (seen(503, not_forwarded=True), ("not forwarded", FAIL), ("not forwarded", DROPPED)),
    (seen(502, not_forwarded=True), ("indefinite", UNKNOWN), ("indefinite", DROPPED)),
    (seen(0, Trouble.REFUSED, sent=False), ("not sent", FAIL), ("not sent", DROPPED)),
    (seen(0, Trouble.UNREACHABLE, sent=False), ("not sent", FAIL), ("not sent", DROPPED)),
    (seen(0, Trouble.CONNECT_TIMEOUT, sent=False), ("not sent", FAIL), ("not sent", DROPPED)),
    (seen(0, Trouble.RESET, sent=False), ("not sent", FAIL), ("not sent", DROPPED)),
    (seen(0, Trouble.RESET), ("no answer", UNKNOWN), ("no answer", DROPPED)),
    (seen(0, Trouble.CLOSED), ("no answer", UNKNOWN), ("no answer", DROPPED)),
    (seen(0, Trouble.TIMEOUT), ("no answer", UNKNOWN), ("no answer", DROPPED)),
    (seen(200, Trouble.TIMEOUT), ("no answer", UNKNOWN), ("no answer", DROPPED)),
    (seen(0, Trouble.GARBAGE), ("no answer", UNKNOWN), ("no answer", DROPPED)),
    (seen(200, Trouble.CUT), ("cut off", UNKNOWN), ("cut off", DROPPED)),
    (seen(404, Trouble.CUT), ("cut off", UNKNOWN), ("cut off", DROPPED)),
    (seen(101), ("no HTTP status", UNKNOWN), ("no HTTP status", DROPPED)),
    (seen(999), ("no HTTP status", UNKNOWN), ("no HTTP status", DROPPED)),
]


@pytest.mark.parametrize(("seen", "write", "read"), CASES)
def test_answer_seen_has_its_row(seen: Seen, write: tuple[str, Outcome], read: tuple[str, Outcome]) -> None:
    """What is certain of a write, and of a read, of each kind of answer."""
    outcome, row = classify(seen, is_write=True)
    assert (row.name, outcome) == write
    outcome, row = classify(seen, is_write=False)
    assert (row.name, outcome) == read


def test_every_row_is_reached_in_every_column_it_has() -> None:
    """A row that nothing reaches would be a promise of the docs that the code doesn't keep."""
    writes, reads = {case[1][0] for case in CASES}, {case[2][0] for case in CASES}
    assert [row.name for row in TABLE if row.write is not None and row.name not in writes] == []
    assert [row.name for row in TABLE if row.read is not None and row.name not in reads] == []


ANYTHING = st.builds(
    Seen,
    status=st.integers(0, 1000),
    trouble=st.sampled_from(Trouble),
    sent=st.booleans(),
    meets=st.booleans(),
    refused=st.booleans(),
    gone=st.booleans(),
    gone_said=st.booleans(),
    pending=st.booleans(),
    to_login=st.booleans(),
    not_forwarded=st.booleans(),
    can_be_gone=st.booleans(),
)


@given(ANYTHING, st.booleans())
def test_anything_seen_has_an_outcome_that_claims_no_more_than_is_known(seen: Seen, is_write: bool) -> None:
    """Total; ok only for a whole answer in the plan's words; a sent write without a whole answer never fails."""
    outcome, row = classify(seen, is_write=is_write)
    assert outcome in ((OK, FAIL, UNKNOWN) if is_write else (OK, GONE, PENDING, UNRECOGNISED, DROPPED))
    assert row.reason
    if outcome is OK:
        assert seen.meets and seen.sent and seen.trouble is Trouble.NONE
    if outcome is FAIL and seen.trouble is not Trouble.NONE:
        assert not seen.sent or (seen.not_forwarded and seen.status == 503)
    if outcome is FAIL and seen.sent and seen.trouble is Trouble.NONE and not seen.refused and not seen.not_forwarded:
        assert 400 <= seen.status < 500 and seen.status not in (408, 409, 425, 429, 499)
    if outcome is PENDING:
        assert seen.pending and seen.trouble is Trouble.NONE and seen.status < 500
    if outcome is GONE:
        assert seen.trouble is Trouble.NONE and seen.status < 500


def test_every_status_and_trouble_has_an_outcome() -> None:
    """All of them, one by one."""
    for status in range(0, 600):
        for trouble in Trouble:
            for is_write in (True, False):
                classify(Seen(status=status, trouble=trouble), is_write=is_write)


@pytest.mark.parametrize(
    ("status", "location", "is_login"),
    [
        (302, "/login", True),
        (302, "https://x.test/accounts/login/?next=/me", True),
        (303, "/users/sign_in", True),
        (307, "/Signin", True),
        (302, "/auth/log-in", True),
        (302, "/logon.aspx", True),
        (302, "/wp-login.php", True),
        (302, "/home", False),
        (302, "/catalogin", False),
        (302, "/blogindex", False),
        (302, "/next?from=login", False),
        (200, "/login", False),
        (302, "", False),
        (302, "http://[bad", False),
    ],
)
def test_redirect_to_a_login_page_is_known_by_its_path(status: int, location: str, is_login: bool) -> None:
    assert redirects_to_login(status, location) is is_login


def test_table_prints_with_a_reason_in_every_row() -> None:
    lines = markdown().splitlines()
    assert len(lines) == len(TABLE) + 2
    assert all(line.count("|") == 5 and not line.endswith("|  |") for line in lines)
