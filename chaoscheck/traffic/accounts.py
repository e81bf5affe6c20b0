"""Who the users are: an endless template, or a list that sessions borrow from, never two of them the same name."""

from __future__ import annotations

import csv
import re
from collections import deque
from pathlib import Path
from string import Template

from chaoscheck.errors import PlanError
from chaoscheck.plan.plan import Accounts

Names = dict[str, str]
SOUGHT = 2000
"""So many listed names are looked for in answers that show somebody else."""


class AccountPool:
    """This worker's share of the accounts: numbers first, first + step, first + 2 step, ...

    A template makes a new account for each session: `$n` is its number, `$run` the run's name. Names from a list or a
    CSV file go back when their session ends.
    """

    def __init__(self, accounts: Accounts, *, run: str, first: int, step: int, folder: Path) -> None:
        self._accounts = accounts
        self._run = run
        self._next = first
        self._step = step
        known = listed(accounts, folder)
        self._free = deque(known[first::step])
        self._users = _finder(accounts, run, known)
        self._endless = accounts.template is not None and not self._free

    def take(self) -> Names | None:
        """The names of a session's user (user, password and whatever the CSV adds); None when all are taken."""
        if not self._endless:
            return dict(self._free.popleft()) if self._free else None
        numbered = {"n": str(self._next), "run": self._run}
        self._next += self._step
        template = Template(self._accounts.template or "")
        return {
            "user": template.safe_substitute(numbered),
            "password": Template(self._accounts.password).safe_substitute(numbered),
        }

    def give_back(self, names: Names) -> None:
        """That user's session is over."""
        if not self._endless:
            self._free.append(names)

    def find_user(self, text: str) -> str | None:
        """The first name of a user of this run in that text."""
        found = self._users.search(text) if self._users is not None else None
        return found[0] if found else None


def listed(accounts: Accounts, folder: Path) -> list[Names]:
    """The accounts that the plan lists; empty when it gives a template."""
    if accounts.csv is not None:
        return read_accounts(folder / accounts.csv, accounts.password)
    return [{"user": name, "password": accounts.password} for name in accounts.names]


def read_accounts(path: Path, password: str) -> list[Names]:
    """The rows of that CSV file; PlanError when it can't be read or has no column `user`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = [{key: value or "" for key, value in row.items() if key} for row in csv.DictReader(lines)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PlanError(
            f"can't read the accounts in {path}: {error}", hint="give a CSV file, relative to the plan"
        ) from None
    if not rows or not all(row.get("user") for row in rows):
        raise PlanError(f"{path.name} needs a header with a column 'user', and a name in each row")
    return [{"password": password, **row} for row in rows]


def _finder(accounts: Accounts, run: str, listed: list[Names]) -> re.Pattern[str] | None:
    """Finds a user of this run in a text."""
    if listed:
        names = sorted({names["user"] for names in listed}, key=len, reverse=True)
        return re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names[:SOUGHT]))
    if accounts.template is None:
        return None
    text = Template(accounts.template).safe_substitute(n="\0", run=run)
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)".replace(re.escape("\0"), r"\d+").replace("\0", r"\d+"))
