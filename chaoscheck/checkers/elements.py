"""What is known of one set: each element by itself, for a write is about one of them and no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from chaoscheck.checkers.doubt import Doubt
from chaoscheck.checkers.element import EMPTY, Ack, Element, Item, with_one, without_one
from chaoscheck.model.history import USUAL_UNDO, OpFields
from chaoscheck.model.ops import Op

Acks = tuple[Any, int, str, str, int, int] | None
"""Acknowledged writes, the newest outside: (those before it, code of its glance, element, acker, sent_ns, done_ns)."""

Parked = tuple[str, str | None, Acks, str, int, int, int, bool]
"""A set of which nothing unusual is known: (obj, text, writes, acker, acked_ns, done_ns, other_ns, whether unread)."""

RECENT = 8
"""Acknowledged writes that are remembered as such, for an operation that turns out to have overlapped them."""


class Recent(NamedTuple):
    """An acknowledged write; `before` is what was held of its element, `undoable` whether nothing else was.

    `text` is what a read showed before it.
    """

    value: str
    who: str
    sent_ns: int
    done_ns: int
    before: Ack | None
    add: bool
    undoable: bool
    text: str


class Elements:
    """One set as its only writer knows it.

    `held` are elements that an acknowledged add put there, `out` those that an acknowledged removal then took away, as
    long as nothing unusual is known of them; `odd` are all others. `base` are elements that were there at the first
    read and that this session didn't write (None before it).
    `acker`, `acked_ns` are of the newest certain write; `other_ns` is when another incarnation was last asked and
    agreed. `text` is a read that agrees and teaches nothing, "" where none is known. `more` is the session's next set.
    `burst` are operations that overlap, or may yet, None while the session does one thing at a time. What had ended by
    `judged_ns` isn't in it; what had by `settled_ns` can't be any more.
    """

    __slots__ = (
        "acked_ns", "acker", "base", "burst", "done_ns", "doubt", "held", "judged_ns", "more", "obj", "odd",
        "other_ns", "out", "recent", "settled_ns", "spent", "text", "torn",
    )  # fmt: skip

    def __init__(self, obj: str) -> None:
        self.obj = obj
        self.held: dict[str, Ack] = {}
        self.out: dict[str, Ack] | None = None
        self.odd: dict[str, Element] | None = None
        self.base: set[str] | None = None
        self.acker, self.text = "", EMPTY
        self.acked_ns = self.done_ns = self.other_ns = -1
        self.spent = self.torn = False
        self.doubt: Doubt | None = None
        self.more: Elements | None = None
        self.recent: list[Recent] = []
        self.judged_ns = self.settled_ns = -1
        self.burst: list[OpFields] | None = None

    @property
    def countable(self) -> bool:
        return self.acker != "" and not self.spent and not self.torn and self.doubt is None

    def element(self, value: str) -> Element | None:
        """Without moving it; None where nothing is known."""
        ack = self.held.get(value)
        if ack is not None:
            return Element(True, ack, copies=1)
        ack = self.out.get(value) if self.out else None
        if ack is not None:
            return Element(False, ack, copies=1)
        return self.odd.get(value) if self.odd else None

    def moved(self, value: str) -> Element:
        """That element among the odd ones, from now on."""
        known = self.element(value) or Element(False)
        self.held.pop(value, None)
        if self.out:
            self.out.pop(value, None)
        self.odd = self.odd if self.odd is not None else {}
        self.odd[value] = known
        # Reads teach something of it from now on.
        self.text = ""
        return known

    @classmethod
    def unparked(cls, parked: Parked) -> Elements:
        """The set that this says all of."""
        obj, text, acks, acker, acked_ns, done_ns, other_ns, unread = parked
        known = cls(obj)
        log: list[tuple[int, str, str, int, int]] = []
        while acks is not None:
            acks, code, value, who, sent_ns, written_ns = acks
            log.append((code, value, who, sent_ns, written_ns))
        for code, value, who, sent_ns, written_ns in reversed(log):
            known.wrote(value, who, sent_ns, written_ns, add=code != USUAL_UNDO)
        known.text, known.acker, known.acked_ns = text or "", acker, acked_ns
        known.done_ns, known.other_ns = done_ns, other_ns
        known.base = None if unread else set()
        return known

    def parked(self) -> Parked:
        """What folding needs of it; not all there is."""
        # No read shows None; "" it might. Beside a burst no read is judged by itself.
        text = self.text or None if self.burst is None else None
        return self.obj, text, None, self.acker, self.acked_ns, self.done_ns, self.other_ns, self.base is None

    def resume(self, done_ns: int, other_ns: int, unread: bool) -> None:
        """After reads that agreed."""
        self.done_ns, self.other_ns = done_ns, other_ns
        if self.base is None and not unread:
            self.base = set()

    def wrote(self, value: str, who: str, sent_ns: int, done_ns: int, *, add: bool, after: str = "") -> None:
        """A write was acknowledged by `who`; `after` is what a read shows then, if that was told already."""
        before, text = self.held.get(value), self.text
        plain = self.new(value) if add else before is not None
        if not plain:
            self._wrote_again(value, who, done_ns, add=add)
        elif add:
            self.held[value] = (who, done_ns)
            self.text = after or with_one(text, value)
        else:
            del self.held[value]
            self.out = self.out if self.out is not None else {}
            self.out[value] = (who, done_ns)
            self.text = after or without_one(text, value)
        self.acker, self.acked_ns, self.other_ns = who, done_ns, -1
        self.spent = False
        self.recent.append(Recent(value, who, sent_ns, done_ns, before, add, plain, text))
        if len(self.recent) > RECENT:
            self.settled_ns = max(self.settled_ns, self.recent.pop(0).done_ns)

    def _wrote_again(self, value: str, who: str, done_ns: int, *, add: bool) -> None:
        """An add of what was written before, or a removal of what was never added or may be gone."""
        stranger = self.new(value)
        known = self.moved(value)
        if stranger:
            # Others may have put it there, and may again.
            known.there = None
        else:
            known.certain(add, who, done_ns, by_read=False)
            known.copies += add

    def undone(self, since_ns: int) -> list[Recent] | None:
        """Take back the acknowledged writes that had not ended by then; None where that can't be done."""
        if since_ns < self.settled_ns or any(one.acked_ns > since_ns for one in (self.odd or {}).values()):
            return None
        taken: list[Recent] = []
        while self.recent and self.recent[-1].done_ns > since_ns:
            one = self.recent.pop()
            if not one.undoable:
                return None
            taken.append(one)
            (self.held if one.add else self.out or {}).pop(one.value, None)
            if one.before is not None:
                self.held[one.value] = one.before
            self.text = one.text
        return taken[::-1]

    @property
    def unknowns(self) -> int:
        """Unknown writes that may land yet."""
        return sum(one.adds + one.removes for one in (self.odd or {}).values())

    def judged(self, value: str) -> bool:
        """Whether anything can be certain of it."""
        known = self.element(value)
        return known is None or known.there is not None

    def item(self, value: str) -> Item:
        known = self.element(value)
        return (value, bool(known.there), known.adds, known.removes) if known else (value, False, 0, 0)

    def end(self, ends: Iterable[tuple[Item, ...]], moving: Iterable[str], *, sure: bool) -> None:
        """After a burst that can have ended in these ways; where they differ nothing is certain."""
        ways: dict[str, set[Item]] = {}
        for state in ends:
            for item in state:
                ways.setdefault(item[0], set()).add(item)
        for value in moving:
            items = ways.get(value, set())
            if sure and items == {self.item(value)}:
                continue
            known = self.moved(value)
            there = {item[1] for item in items}
            known.there = there.pop() if sure and len(there) == 1 and known.there is not None else None
            known.adds = max((item[2] for item in items), default=0)
            known.removes = max((item[3] for item in items), default=0)
        self.spent = True
        self.text = ""

    def new(self, value: str) -> bool:
        """Whether this session never wrote it."""
        return not (
            value in self.held
            or (self.out is not None and value in self.out)
            or (self.odd is not None and value in self.odd)
        )

    def unknown(self, value: str, *, add: bool) -> None:
        """A write that may have landed, or may at any later time."""
        known = self.moved(value)
        known.adds += add
        known.copies += add
        known.removes += not add
        # It ends the pair (object, kill) of the earlier write: what is read from now on was asked after a later one.
        self.spent = True

    def failed(self, value: str) -> None:
        """An add that certainly did not happen."""
        if self.element(value) is None:
            self.moved(value)

    def learn(self, counts: Mapping[str, int], op: Op) -> None:
        """A read that breaks nothing."""
        for value, known in (self.odd or {}).items():
            known.learn(counts.get(value, 0), op)

    def strange(self, counts: Mapping[str, int]) -> list[str]:
        """Elements that this session never wrote."""
        return [value for value in counts if self.new(value)]

    def survivors(self, acker: str) -> list[int]:
        """When the elements were acknowledged that are there on the word of that incarnation (ns)."""
        return [acked_ns for who, acked_ns in self.held.values() if who == acker]
