"""A set as overlapping requests see it: the plain cases, and what the search needs of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chaoscheck.checkers.bursts import in_turn
from chaoscheck.checkers.element import Item, counted, with_one, without_one
from chaoscheck.checkers.elements import Elements
from chaoscheck.model.history import OpFields
from chaoscheck.model.ops import Op, Outcome

Cart = tuple[Item, ...]
"""Elements in their order; one that isn't named isn't there, and nothing of it may land."""

_OK = Outcome.OK.value
ANSWERED = frozenset({_OK, Outcome.GONE.value})


def plain(known: Elements, burst: Iterable[OpFields]) -> tuple[OpFields | None, str] | None:
    """The write, or none, beside which each read shows just the text before it or just that after it; and that one.

    None where that isn't all there is. A write takes effect before every later text is read, and after every earlier.
    """
    before = known.text
    write: OpFields | None = None
    since_ns, until_ns = -1, 0
    reads = []
    for fields in burst:
        _, _, _, action, _, _, _, value, _, _, _, _, sent_ns, done_ns, outcome, _, _, _, seen, _ = fields
        if outcome != _OK:
            return None
        if action == "see":
            reads.append((seen, sent_ns, done_ns))
        elif write is None:
            write, since_ns, until_ns = fields, sent_ns, done_ns
            after = _after(known, value, add=action == "do")
        else:
            return None
    if not before or known.odd:
        return None
    if write is None:
        return None if any(seen != before for seen, _, _ in reads) else (None, before)
    for seen, sent_ns, done_ns in reads:
        if seen == before:
            since_ns = max(since_ns, sent_ns)
        elif seen == after:
            until_ns = min(until_ns, done_ns)
        else:
            return None
    return (write, after) if after and since_ns < until_ns else None


def _after(known: Elements, value: str, *, add: bool) -> str:
    """What a read shows after a write that changes something; "" where that isn't simple."""
    if add:
        return with_one(known.text, value) if known.new(value) else ""
    return without_one(known.text, value) if value in known.held else ""


def one_way(ops: Sequence[Op], state: Cart) -> set[Cart] | None:
    """How these end where no element is written twice and none may change by itself; None where it takes a search.

    Each read then says of every write whether it came before or after, and that is all that orders them.
    """
    there = {value: present for value, present, adds, removes in state if not adds and not removes}
    writes = [op for op in ops if op.action != "see" and op.outcome != Outcome.FAIL]
    if len(there) < len(state) or any(op.outcome != Outcome.OK or op.value not in there for op in writes):
        return None
    changes = {op.value: place for place, op in enumerate(ops) if op.action != "see" and op.outcome == Outcome.OK}
    if len(changes) < len(writes):
        return None
    changes = {value: place for value, place in changes.items() if (ops[place].action == "do") != there[value]}
    before: list[list[int]] = [[] for _ in ops]
    for place, op in enumerate(ops):
        if op.action != "see" or op.outcome not in ANSWERED:
            continue
        shown = counted(op)
        if any((value in shown) != present for value, present in there.items() if value not in changes):
            return set()
        for value, write in changes.items():
            if (value in shown) == there[value]:
                before[write].append(place)
            else:
                before[place].append(write)
    if not in_turn(ops, before):
        return set()
    return {tuple(sorted((value, present != (value in changes), 0, 0) for value, present in there.items()))}


class CartMachine:
    """Of `only` these elements; without them of all. What a read shows of others is the caller's to judge."""

    def __init__(self, only: Iterable[str] | None = None) -> None:
        self._only = None if only is None else frozenset(only)

    def apply(self, op: Op, state: Cart) -> Iterable[Cart]:
        if op.action == "see":
            return self._seen(op, state)
        items = {item[0]: item for item in state}
        _, there, adds, removes = items.get(op.value, (op.value, False, 0, 0))
        if op.outcome == Outcome.UNKNOWN:
            items[op.value] = (op.value, there, adds + (op.action == "do"), removes + (op.action != "do"))
        elif op.outcome == Outcome.OK:
            items[op.value] = (op.value, op.action == "do", adds, removes)
        return [tuple(sorted(items.values()))]

    def _seen(self, op: Op, state: Cart) -> list[Cart]:
        """At most one: what lands only when it must leaves the most open."""
        if op.outcome not in (Outcome.OK, Outcome.GONE):
            return [state]
        shown = counted(op)
        after: list[Item] = []
        for value, there, adds, removes in state:
            if (value in shown) == there:
                after.append((value, there, adds, removes))
            elif (removes if there else adds) == 0:
                return []
            else:
                after.append((value, not there, adds - (not there), removes - there))
        if self._only is None and not shown.keys() <= {item[0] for item in state}:
            return []
        return [tuple(after)]
