"""What a listener tells of one time of listening, as it stands in the history."""

from __future__ import annotations

import json
from typing import NamedTuple


class Heard(NamedTuple):
    """`values` in the order in which they came, since the last time that was told. `since_ns`: from then on, without a
    break, whatever was sent should have been heard; -1 while nothing shows yet that one is subscribed."""

    since_ns: int
    values: tuple[str, ...]

    def text(self) -> str:
        return json.dumps({"since": self.since_ns, "heard": self.values}, separators=(",", ":"))


def read_heard(text: str) -> Heard | None:
    """The reverse of `Heard.text`; None for anything else."""
    try:
        raw = json.loads(text)
        return Heard(int(raw["since"]), tuple(str(value) for value in raw["heard"]))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
