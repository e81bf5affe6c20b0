"""The matrix as grids, and in words what its cells say: which pairs fail at what, and what they have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaoscheck.model.verdict import MatrixCell
from chaoscheck.reporting.units import count, plural

SMALL = 8
"""Up to so many slots a grid is looked at whole; above, one that follows a rule is said in words."""
NAMED = 6
"""So many pairs are named one by one."""

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Of cells that fail, or tell nothing, in the same way: what they show, where, and what one of them saw.

    `rule` says that `where` tells all of it, so that a picture would add nothing.
    """

    mark: str
    what: str
    where: str
    example: str
    rule: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One promise's matrix: rows of cells, by writer and then reader."""

    promise: str
    slots: tuple[int, ...]
    rows: tuple[tuple[int, tuple[MatrixCell | None, ...]], ...]
    holds: int
    told: int
    pairs: int
    said: tuple[Said, ...]

    @property
    def whole(self) -> bool:
        """Every pair was tried and holds."""
        return self.holds == self.pairs

    @property
    def drawn(self) -> bool:
        """Whether a picture shows more than the words do."""
        if len(self.slots) <= SMALL:
            return True
        return not self.whole and not all(one.rule for one in self.said)

    @property
    def head(self) -> str:
        """How many pairs hold, and of how many."""
        if self.whole:
            return f"all {plural(self.pairs, 'pair')} hold"
        untold = f", {count(self.pairs - self.told)} not told" if self.told < self.pairs else ""
        return f"{count(self.holds)} of {plural(self.pairs, 'pair')} hold{untold}"


def grids(cells: Iterable[MatrixCell]) -> tuple[Grid, ...]:
    """One for each promise that has cells, in their order."""
    promises: dict[str, dict[Pair, MatrixCell]] = {}
    for cell in cells:
        promises.setdefault(cell.promise, {})[cell.writer, cell.reader] = cell
    return tuple(_grid(promise, found) for promise, found in promises.items())


def _grid(promise: str, found: dict[Pair, MatrixCell]) -> Grid:
    slots = tuple(sorted({slot for pair in found for slot in pair}))
    told = [cell for cell in found.values() if cell.holds is not None]
    return Grid(
        promise=promise,
        slots=slots,
        rows=tuple((writer, tuple(found.get((writer, reader)) for reader in slots)) for writer in slots),
        holds=sum(bool(cell.holds) for cell in told),
        told=len(told),
        pairs=len(slots) ** 2,
        said=tuple(_said(list(found.values()), slots)),
    )


def _said(cells: Sequence[MatrixCell], slots: tuple[int, ...]) -> Iterable[Said]:
    """The failures first, anomalies that the same pairs show together; then why nothing could be told."""
    failed: dict[str, list[MatrixCell]] = {}
    untold: dict[str, list[MatrixCell]] = {}
    for cell in cells:
        if cell.holds is False:
            for name in cell.anomaly.split(", "):
                failed.setdefault(name or "fails", []).append(cell)
        elif cell.holds is None:
            untold.setdefault(cell.note.removeprefix("not told: "), []).append(cell)
    together: dict[frozenset[Pair], list[str]] = {}
    for name, ones in failed.items():
        together.setdefault(frozenset(map(_pair, ones)), []).append(name)
    for names in together.values():
        ones = failed[names[0]]
        rule, where = _where([_pair(one) for one in ones], slots)
        yield Said(mark="✗", what=", ".join(names), where=where, example=_example(ones[0], names[0]), rule=rule)
    for why, ones in untold.items():
        rule, where = _where([_pair(one) for one in ones], slots)
        yield Said(mark="?", what="not told", where=where, example=why, rule=rule)


def _pair(cell: MatrixCell) -> Pair:
    return cell.writer, cell.reader


def _example(cell: MatrixCell, name: str) -> str:
    """What that pair saw; of a note that tells of several anomalies the part of this one."""
    names, note = cell.anomaly.split(", "), cell.note
    if len(names) > 1:
        note = note.split(f"{name}: ", 1)[-1]
        for other in names:
            note = note.split(f"; {other}: ", 1)[0]
    return f"{cell.writer}→{cell.reader}: {note}" if note else ""


def _where(pairs: Sequence[Pair], slots: tuple[int, ...]) -> tuple[bool, str]:
    """The pairs in words, and whether they follow a rule that says it all."""
    those = set(pairs)
    size = len(slots)
    rules: list[tuple[str, set[Pair]]] = [
        ("on every pair", {(i, j) for i in slots for j in slots}),
        ("between every two different instances", {(i, j) for i in slots for j in slots if i != j}),
        ("on fresh connections to the very instance, each of them", {(i, i) for i in slots}),
    ]
    for slot in slots if size > 1 else ():
        rules += [
            (f"wherever {slot} writes", {(slot, j) for j in slots}),
            (f"wherever {slot} writes, but not to itself", {(slot, j) for j in slots if j != slot}),
            (f"wherever {slot} reads", {(i, slot) for i in slots}),
            (f"wherever {slot} reads, but not from itself", {(i, slot) for i in slots if i != slot}),
        ]
    if len(those) > 1:
        for words, rule in rules:
            if those == rule:
                return True, f"{words} ({plural(len(those), 'pair')})"
    named = ", ".join(f"{writer}→{reader}" for writer, reader in pairs[:NAMED])
    more = f" and {count(len(pairs) - NAMED)} more" if len(pairs) > NAMED else ""
    return len(those) <= NAMED, f"on {named}{more}"
