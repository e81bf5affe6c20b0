"""Accounts of sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.plan import Accounts
from chaoscheck.traffic.accounts import AccountPool


def pool(accounts: Accounts, *, first: int = 0, step: int = 1, folder: Path = Path()) -> AccountPool:
    return AccountPool(accounts, run="r1", first=first, step=step, folder=folder)


def names(source: AccountPool, count: int) -> list[str]:
    return [taken["user"] for taken in (source.take() for _ in range(count)) if taken is not None]


def test_a_template_makes_a_new_user_each_time() -> None:
    """`$n` is a plain number, so that accounts made beforehand can be addressed; `$run` keeps two runs apart."""
    source = pool(Accounts(template="u$n@$run", password="pw-$n"), first=3, step=2)
    assert source.take() == {"user": "u3@r1", "password": "pw-3"}
    assert names(source, 2) == ["u5@r1", "u7@r1"]


def test_two_workers_share_out_a_list_without_overlap() -> None:
    """Each takes every other name."""
    listed = Accounts(names=("a", "b", "c", "d", "e"))
    first, second = pool(listed, first=0, step=2), pool(listed, first=1, step=2)
    assert (names(first, 5), names(second, 5)) == (["a", "c", "e"], ["b", "d"])


def test_a_name_comes_back_when_its_session_is_over() -> None:
    """Until then the next session gets nobody."""
    source = pool(Accounts(names=("a",)))
    taken = source.take()
    assert taken is not None
    assert source.take() is None
    source.give_back(taken)
    assert names(source, 1) == ["a"]


def test_a_csv_adds_names_of_its_own(tmp_path: Path) -> None:
    """Columns are names that steps can use; a missing password is the plan's."""
    (tmp_path / "users.csv").write_text("user,tenant\nann,blue\nbob,red\n")
    source = pool(Accounts(csv="users.csv", password="s3"), folder=tmp_path)
    assert source.take() == {"user": "ann", "tenant": "blue", "password": "s3"}


@pytest.mark.parametrize("text", ["", "name\nann\n", 'user\n""\n'])
def test_a_csv_without_users_is_a_plan_error(tmp_path: Path, text: str) -> None:
    """It names the file and what it needs."""
    (tmp_path / "users.csv").write_text(text)
    with pytest.raises(PlanError, match=r"users\.csv needs a header with a column 'user'"):
        pool(Accounts(csv="users.csv"), folder=tmp_path)


def test_a_missing_csv_is_a_plan_error(tmp_path: Path) -> None:
    """One sentence, no traceback."""
    with pytest.raises(PlanError, match="can't read the accounts"):
        pool(Accounts(csv="nobody.csv"), folder=tmp_path)


def test_another_user_of_the_run_is_found_in_a_text() -> None:
    """By template or by list, as a whole word only."""
    made = pool(Accounts(template="user-$run-$n"))
    assert made.find_user("Hello user-r1-12!") == "user-r1-12"
    assert made.find_user("Hello user-r2-12!") is None
    listed = pool(Accounts(names=("ann", "ann.b")))
    assert listed.find_user("I am ann.b") == "ann.b"
    assert listed.find_user("channel") is None
