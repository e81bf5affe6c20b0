"""blob: what breaks an upload, what never does, and what a death in mid-write leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.blob import ALL_OR_NOTHING, BlobChecker
from chaoscheck.model.ops import Op
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.steps import Promise
from tests.unit.checkers.making import confirms, names, op, run

V = "run.s1.3"
HALF = f"torn:512 of 64000:ab12cd34:{V}"
EMPTY = "torn:0 of 64000:e3b0c442:"
PAGE = "foreign:120:0badcafe"
OTHERS = "torn:512 of 64000:ab12cd34:run.s9.1"
DEATH = Death("web-1.1", 4, 50, 5)


def checker(of: str = "value", **terms: Any) -> BlobChecker:
    said = {"kind": "blob", "of": of, "do": {"put": "/files/$value", "body": "$blob"}, "see": {"get": "/files/$value"}}
    return BlobChecker("p", Promise.model_validate({**said, **terms}))


def do(outcome: str, value: str = V, at: int = 0, who: str = "web-1.1", obj: str = V) -> Op:
    return op("do", outcome, at=at, value=value, obj=obj, who=who)


def see(seen: str, outcome: str = "ok", at: int = 100, who: str = "web-2.1", obj: str = V) -> Op:
    return op("see", outcome, at=at, seen=seen, who=who, obj=obj)


def everywhere(read: Op, *seen: str) -> list[Op]:
    """It is read again through as many instances, which show these ("" is gone)."""
    return [read, *confirms(read, [(f"web-{n}.1", "ok" if text else "gone", text) for n, text in enumerate(seen, 2)])]


@pytest.mark.parametrize(
    ("seen", "outcome", "name"),
    [("", "gone", "LOST"), (PAGE, "ok", "LOST"), (HALF, "ok", "TORN"), (EMPTY, "ok", "TORN"),
     ("run.s1.2", "ok", "WRONG_FILE"), ("run.s9.1", "ok", "CROSS_SESSION"), (OTHERS, "ok", "CROSS_SESSION")],
    ids=["gone", "another-page", "torn", "empty", "own-other-file", "another-session's", "a-part-of-another's"],
)  # fmt: skip
def test_acknowledged_upload_that_is_not_shown_whole_is_named(seen: str, outcome: str, name: str) -> None:
    """What was answered says what went wrong; another session's file is critical."""
    read = see(seen, outcome)
    found = run(checker(), [do("ok"), *everywhere(read, seen, seen)]).tally().anomalies
    assert [(one.name, one.confirmed, one.critical) for one in found] == [(name, True, name == "CROSS_SESSION")]


@pytest.mark.parametrize(
    ("written", "seen", "outcome"),
    [("unknown", V, "ok"), *((written, *read) for written in ("unknown", "fail")
                             for read in (("", "gone"), (PAGE, "ok"), (EMPTY, "ok")))],
)  # fmt: skip
def test_upload_that_nobody_acknowledged_is_whole_or_absent(written: str, seen: str, outcome: str) -> None:
    """Neither is a violation, and an empty answer may be how a service says that nothing is there."""
    known = checker()
    known.feed(do(written))
    assert not known.feed(see(seen, outcome))
    assert known.tally().anomalies == []


def test_upload_of_unknown_end_cut_off_by_a_death_is_torn_and_the_death_named() -> None:
    """Presence in part is what no whole version looks like; the pair is no exposure, for nothing was acknowledged."""
    known = checker()
    known.feed(do("unknown", who="", at=45))
    known.died(DEATH)
    run(known, everywhere(see(HALF), HALF, HALF))
    (found,) = known.tally().anomalies
    assert (found.name, found.cause, found.acker) == ("TORN", Cause.MID_WRITE, "web-1.1")
    assert (found.guarantee, found.value, found.confirmed) == (ALL_OR_NOTHING, V, True)
    assert (known.tally().exposures, known.tally().lost) == ({}, {})


def test_torn_with_no_death_near_names_none() -> None:
    """A writer that gave up by itself."""
    (found,) = run(checker(), [do("unknown"), *everywhere(see(HALF), HALF)]).tally().anomalies
    assert (found.name, found.cause) == ("TORN", None)


def test_upload_that_was_only_slow_is_no_anomaly() -> None:
    """It was still being written: whole at the second look."""
    known = run(checker(), [do("unknown"), *everywhere(see(HALF), V, V)])
    assert known.tally().anomalies == []
    known.forget("s1")
    assert known.tally().anomalies == []


def test_upload_that_became_whole_is_certain_from_then_on() -> None:
    """Its being torn for a moment was nothing, its being gone afterwards is."""
    known = run(checker(), [do("unknown"), *everywhere(see(HALF), V, V)])
    assert known.feed(see("", "gone", at=300))


def test_whatever_stands_in_the_place_of_a_refused_upload_is_nobody_s_business() -> None:
    """Its address may be another one's."""
    known = run(checker(), [do("fail")])
    assert not known.feed(see("run.s1.2"))


def test_torn_read_never_confirmed_stays_a_doubt() -> None:
    """It counts once others were asked."""
    known = run(checker(), [do("unknown"), see(HALF)])
    assert [one.confirmed for one in known.tally().anomalies] == [False]


def test_answer_that_its_instance_s_death_cut_off_is_no_anomaly() -> None:
    """Without a length it looks like a torn file; every other instance has all of it."""
    known = checker()
    known.feed(do("ok", who="web-3.1"))
    known.died(Death("web-2.1", 4, 104, 1))
    run(known, everywhere(see(HALF, at=100), V, V))
    assert known.tally().anomalies == []


def test_acknowledged_upload_torn_for_a_while_is_a_flicker() -> None:
    """The user saw it."""
    assert names(run(checker(), [do("ok"), *everywhere(see(HALF), V, V)])) == ["FLICKER"]


def test_torn_is_reported_once() -> None:
    """Later reads of the same file find what is known."""
    known = run(checker(), [do("unknown"), *everywhere(see(HALF), HALF)])
    assert not known.feed(see(HALF, at=300))
    assert names(known) == ["TORN"]


def test_upload_under_way_at_a_death_is_exposed_until_it_was_read() -> None:
    """Only reading it shows whether it is torn: the session is brought to it, and the final reads include it."""
    known = checker()
    known.feed(do("unknown", who="", at=45))
    assert (known.exposed("s1"), known.certain("s1"), known.value_of("s1", V)) == ([], [V], V)
    known.died(DEATH)
    assert known.exposed("s1") == [V]
    known.feed(see("", "dropped"))
    assert known.exposed("s1") == [V]
    known.feed(see("", "gone", at=120))
    assert (known.exposed("s1"), known.certain("s1")) == ([], [V])
    assert known.tally().pending == {}


def test_upload_of_unknown_end_that_was_seen_whole_is_exposed_no_more() -> None:
    """A later death can't tear what is complete."""
    known = run(checker(), [do("unknown", who="", at=10), see(V, at=20)])
    known.died(DEATH)
    assert (known.exposed("s1"), known.certain("s1")) == ([], [V])


def test_upload_whose_writer_is_known_to_live_is_not_exposed() -> None:
    """Another instance's death doesn't touch it."""
    known = run(checker(), [do("unknown", who="web-3.1", at=45)])
    known.died(DEATH)
    assert known.exposed("s1") == []


BY_ID: dict[str, Any] = {
    "do": {"post": "/up", "upload": "file", "take": {"id": "json:id"}},
    "see": {"get": "/up/$id"},
}


def test_upload_whose_address_was_in_the_lost_answer_is_never_asked_for() -> None:
    """Its name is nobody's: whatever another address shows says nothing of it."""
    known = checker(**BY_ID)
    known.feed(do("unknown", who="", at=45))
    known.died(DEATH)
    assert (known.exposed("s1"), known.certain("s1")) == ([], [])


def test_replacement_whose_address_was_lost_takes_the_old_certainty_along() -> None:
    """It may have landed, and the old file with the known address be gone for good."""
    known = checker("session", **BY_ID)
    run(known, [do("ok", "run.s1.1", obj="own"), do("unknown", "run.s1.2", at=20, obj="own")])
    assert not known.feed(see("", "gone", obj="own"))


def test_address_taken_before_the_upload_serves_for_one_of_unknown_end() -> None:
    """Of an action of several steps only the last one's answer was lost."""
    steps = [{"post": "/up", "take": {"id": "json:id"}}, {"put": "/up/$id", "body": "$blob"}]
    known = checker(do=steps, see={"get": "/up/$id"})
    known.feed(do("unknown"))
    assert known.certain("s1") == [V]


# One object, replaced by each upload.


def own(outcome: str, seq: int, at: int) -> Op:
    return do(outcome, f"run.s1.{seq}", at=at, obj="own")


def look(seen: str, at: int = 100, who: str = "web-2.1") -> Op:
    return see(seen, at=at, who=who, obj="own")


def test_default_picture_before_the_first_upload_is_the_base() -> None:
    """Seen again after an acknowledged upload it means that this one is lost."""
    known = run(checker("session"), [look(PAGE, at=0), own("ok", 1, 20)])
    assert known.feed(look(PAGE))
    run(known, everywhere(look(PAGE), PAGE, PAGE)[1:])
    assert names(known) == ["LOST"]


def test_torn_file_of_an_earlier_owner_is_the_base_too() -> None:
    """Nothing was written by this session yet; and seen again, it means that what was is lost."""
    known = run(checker("session"), [own("ok", 1, 0)._replace(session="s2", value="run.s2.1"), look(OTHERS, at=20)])
    assert known.tally().anomalies == []
    run(known, [own("ok", 1, 40), *everywhere(look(OTHERS), OTHERS)])
    assert names(known) == ["LOST"]


@pytest.mark.parametrize("seen", ["run.s1.1", "run.s1.2"])
def test_replacement_of_unknown_end_may_show_either_version_whole(seen: str) -> None:
    known = run(checker("session"), [own("ok", 1, 0), own("unknown", 2, 20)])
    assert not known.feed(look(seen))


def test_replacement_cut_off_over_the_old_version_is_torn() -> None:
    """Neither the old version nor the new one: named after the newer."""
    known = run(checker("session"), [own("ok", 1, 0), own("unknown", 2, 45)])
    known.died(DEATH)
    mixed = "torn:64000 of 64000:ab12cd34:run.s1.2+run.s1.1"
    run(known, everywhere(look(mixed), mixed))
    (found,) = known.tally().anomalies
    assert (found.name, found.cause, found.guarantee) == ("TORN", Cause.MID_WRITE, ALL_OR_NOTHING)
    assert (found.value, found.acked_ns) == ("run.s1.2", -1)


def test_old_version_on_one_instance_while_another_has_the_newest_is_stale() -> None:
    """A copy that nobody told: not lost, and no kill's doing."""
    known = run(checker("session"), [own("ok", 1, 0), own("ok", 2, 20)])
    run(known, everywhere(look("run.s1.1"), "run.s1.1", "run.s1.2"))
    (found,) = known.tally().anomalies
    assert (found.name, found.cause) == ("STALE", Cause.ONE_INSTANCE)


def test_upload_in_an_exposure_counts_as_any_write() -> None:
    """Acknowledged by the victim, read back whole elsewhere after its death."""
    known = run(checker(), [do("ok"), see(V, at=100)])
    known.died(DEATH)
    assert known.tally().exposures == {4: 1}
