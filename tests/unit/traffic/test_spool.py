"""The worker's history file."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.model import history
from chaoscheck.model.history import SessionBorn, SessionEnded, read_file
from chaoscheck.model.ops import Lane, Op, Outcome
from chaoscheck.traffic import spool
from chaoscheck.traffic.spool import Spool

texts = st.text(max_size=20)
numbers = st.integers(min_value=-1, max_value=2**62)
ops = st.builds(
    Op,
    rid=texts,
    session=texts,
    promise=texts,
    action=st.sampled_from(["do", "see", "undo"]),
    obj=texts,
    seq=numbers,
    attempt=numbers,
    value=texts,
    lane=st.sampled_from([*Lane, "user"]),
    via=texts,
    judged=st.booleans(),
    intended_ns=numbers,
    sent_ns=numbers,
    done_ns=numbers,
    outcome=st.sampled_from([*Outcome, "ok"]),
    status=numbers,
    error=texts,
    incarnation=texts,
    seen=texts,
    excerpt=texts,
)


def op(rid: str, *, done_ns: int = -1, outcome: str = "unknown") -> Op:
    return Op(
        rid,
        "w0s1",
        "cart",
        "do",
        "own",
        1,
        0,
        "r.w0s1.1",
        "user",
        "lb",
        True,
        5,
        6,
        done_ns,
        outcome,
        0,
        "",
        "",
        "",
        "",
    )


@given(ops)
def test_lines_formatted_by_hand_are_those_of_the_model(each: Op) -> None:
    """Byte for byte, whatever stands in the fields: quotes, controls, lone surrogates."""
    assert spool.invoke_line(each) == history.invoke_line(each)
    assert spool.done_line(each) == history.done_line(each)


def test_an_invoke_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    """Read by another descriptor at once, with no flush and no close: an attempt whose end is unknown."""
    book = Spool(tmp_path, "r", "w0")
    book.born(SessionBorn("w0s1", "ann", "user", 1))
    book.invoke(op("w0r1"))
    rows = list(read_file(tmp_path / "w0.ndjson"))
    assert rows == [SessionBorn("w0s1", "ann", "user", 1), op("w0r1")._replace(error="no end recorded")]
    book.close()


def test_ends_wait_for_the_next_invoke_or_a_flush(tmp_path: Path) -> None:
    """They may lag, and are never lost by a close."""
    book = Spool(tmp_path, "r", "w0")
    first, second = (op(rid, done_ns=9, outcome="ok") for rid in ("w0r1", "w0r2"))
    book.invoke(first)
    book.done(first)
    assert "no end recorded" in str(list(read_file(tmp_path / "w0.ndjson")))
    book.invoke(second)
    assert next(iter(read_file(tmp_path / "w0.ndjson"))) == first
    book.done(second)
    book.ended(SessionEnded("w0s1", 12, "stopped"))
    book.flush()
    assert list(read_file(tmp_path / "w0.ndjson")) == [first, second, SessionEnded("w0s1", 12, "stopped")]
    book.close()
    book.close()
