"""Reading some of a history: the rows of the sessions asked for are those that reading all of it gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples import story

from chaoscheck.errors import HistoryDamaged
from chaoscheck.model.history import SessionBorn, SessionEnded, raw_file, some_of


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("history") / "w1.ndjson"
    made.write_text("".join(story.tell_history(7, story.strikes(7), 1)), encoding="utf-8")
    return made


def test_some_of_a_history_is_what_the_whole_says_of_those_sessions(path: Path) -> None:
    """The same rows in the same order, whatever the others did; every birth is told, so that one can choose."""
    wanted = {"w1-3", "w1-77", "w1-149"}

    def chosen(row: tuple[object, ...]) -> bool:
        session = row[0] if isinstance(row, SessionBorn | SessionEnded) else row[1]
        return isinstance(row, SessionBorn) or session in wanted

    some = list(some_of(path, wanted.__contains__))
    assert some == [row for row in raw_file(path) if chosen(row)]
    assert len(some) > 150 + 3 * 12


def test_all_of_a_history_is_the_history(path: Path) -> None:
    """Wanting everything loses nothing."""
    assert list(some_of(path, lambda session: True)) == list(raw_file(path))


def test_attempt_without_its_end_is_still_told(path: Path, tmp_path: Path) -> None:
    """A worker that died leaves an unknown: its last line may be cut off anywhere."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    last = next(index for index, line in enumerate(lines) if line.startswith('["d"'))
    for cut in (1, 4, 9, 30, len(lines[last]) - 2):
        torn = tmp_path / f"torn-{cut}.ndjson"
        torn.write_text("".join(lines[:last]) + lines[last][:cut], encoding="utf-8")
        assert list(some_of(torn, lambda session: True)) == list(raw_file(torn))


def test_what_is_no_history_is_refused(tmp_path: Path) -> None:
    """As where all of it is read."""
    other = tmp_path / "w1.ndjson"
    other.write_text("no history\n")
    with pytest.raises(HistoryDamaged):
        list(some_of(other, lambda session: True))
