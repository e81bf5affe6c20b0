"""What is known of one element of a set, and how a read shows elements.

Of an element three things say all there is to say: whether it is there, and how many unknown adds and removals may land
yet. Whatever else might have happened leaves less open, so that nothing it allows is forbidden by these three.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted

from chaoscheck.model.ops import Op, Outcome

LOST, RESURRECTED, DUPLICATE = "LOST_ELEMENT", "RESURRECTED", "DUPLICATE_ELEMENT"
ABORTED, PHANTOM, CROSS = "ABORTED_READ", "PHANTOM", "CROSS_SESSION"
AT_ONCE = frozenset({DUPLICATE, ABORTED, PHANTOM, CROSS})
"""Anomalies that one read proves, whatever is read later."""

EMPTY = "[]"
_OK = Outcome.OK.value

Ack = tuple[str, int]
"""Who acknowledged a write, and when (ns)."""

Item = tuple[str, bool, int, int]
"""(element, whether it is there, unknown adds and removals that may land yet)"""


class Element:
    """One element of which more is known than that it was added. `there` None: nothing is certain, for good.

    `adds` and `removes` are unknown ones that may land yet; `copies` counts the adds that may have landed at all (0:
    every one failed). `by_read`: a read made it certain, `acker` showed it.
    """

    __slots__ = ("acked_ns", "acker", "adds", "by_read", "copies", "removes", "there", "twice")

    def __init__(self, there: bool | None, ack: Ack = ("", -1), copies: int = 0) -> None:
        self.there = there
        self.acker, self.acked_ns = ack
        self.copies = copies
        self.adds = self.removes = 0
        self.by_read = self.twice = False

    def certain(self, there: bool, who: str, done_ns: int, *, by_read: bool) -> None:
        """From now on it is there, or not, on the word of `who`."""
        self.there = there
        self.acker, self.acked_ns = who, done_ns
        self.by_read = by_read

    def broken(self, count: int) -> str:
        """The anomaly of a read that shows it `count` times; "" for none."""
        if self.there is None:
            return ""
        if not count:
            return LOST if self.there and not self.removes else ""
        if not self.there and not self.adds:
            return RESURRECTED if self.copies else ABORTED
        return DUPLICATE if count > max(self.copies, 1) and not self.twice else ""

    def learn(self, count: int, op: Op) -> None:
        """A read that breaks nothing shows that an unknown write has landed: it can't land once more."""
        if self.there and not count:
            self.removes -= 1
            self.certain(False, op.incarnation, op.done_ns, by_read=True)
        elif self.there is False and count:
            self.adds -= 1
            self.certain(True, op.incarnation, op.done_ns, by_read=True)


def counted(op: Op) -> Mapping[str, int]:
    """How often an answered read shows each element; absence of the whole set is an empty one."""
    return _counts(op.seen) if op.outcome == _OK else {}


@lru_cache(maxsize=1024)
def _counts(seen: str) -> Mapping[str, int]:
    """Remembered, for a search over overlapping reads asks for the same ones again and again."""
    return Counter(listed(seen))


def listed(seen: str) -> list[str]:
    """The elements of what `values` read: a JSON list of texts. A text that is none stands for itself."""
    try:
        found = json.loads(seen)
    except ValueError:
        found = [seen] if seen else []
    return [str(item) for item in found] if isinstance(found, list) else [seen]


def with_one(text: str, value: str) -> str:
    """What a read shows after an add, if the newest comes last; "" where that can't be told."""
    item = quoted(value)
    if text == EMPTY:
        return f"[{item}]"
    return f"{text[:-1]},{item}]" if text.endswith("]") and item not in text else ""


def without_one(text: str, value: str) -> str:
    """What a read shows after a removal; "" where it can't be told."""
    item = quoted(value)
    if "\\" in text or text.count(item) != 1:
        return ""
    if text == f"[{item}]":
        return EMPTY
    for piece in (f"{item},", f",{item}"):
        if piece in text:
            return text.replace(piece, "", 1)
    return ""
