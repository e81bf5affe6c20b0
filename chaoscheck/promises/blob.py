"""A file that was handed in is given back byte for byte, by any instance, or it isn't there at all."""

from __future__ import annotations

from typing import ClassVar

from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import KINDS, Hand, Kind, Words, requests
from chaoscheck.steps.blob import DEFAULT_SIZE, carries_file

OWN = "own"
READ_BACK = 4
"""Exposed files that one turn reads at most."""
FEW = 4
"""So many files a session uploads at one a turn; then ever more slowly."""
HELD = 2_000_000
"""Bytes that the files of one session come to, about; a few files it has however large they are."""
FEWEST, MOST = 3, 40
EASY = 256_000
"""A file up to this size is uploaded every turn; larger ones as much more seldom as they are larger."""
WEIGHS = 64_000
"""So many bytes cost about what a request does."""
LARGEST = 8_000_000
"""No answer over 10 MB is read."""


@KINDS.add("blob")
class BlobKind(Kind):
    """`of: value`: each upload makes a file, named by its value. Else one file, which each upload replaces."""

    name: ClassVar[str] = "blob"
    needs: ClassVar[frozenset[str]] = frozenset({"do", "see"})
    may_have: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[frozenset[str]] = frozenset({"size"})
    default_of: ClassVar[str] = "value"
    burst_share: ClassVar[float] = 0.05
    words: ClassVar[Words] = Words(
        one="upload",
        many="uploads",
        lives="uploads live on the disk (or in the memory) of the instance that took them",
        died="uploads lived on the disk (or in the memory) of the instance that was killed",
        store="stream uploads to object storage or a volume that all instances share, and acknowledge them only when "
        "all of the file is there",
        broken={
            "TORN": "torn: neither whole nor absent",
            "STALE": "not shown as last uploaded",
            "WRONG_FILE": "answered with another file of the same session",
            "CROSS_SESSION": "answered with another session's file",
            "PHANTOM": "answered with a file that nobody uploaded",
        },
        because={
            "TORN": "files get their bytes piece by piece under the name that readers ask for",
            "STALE": "an instance goes on showing a copy of its own after another one has replaced the file",
        },
        fixes={
            "TORN": "write to a name that nobody asks for and rename once all is there and flushed (or use object "
            "storage, where a put is all or nothing), and acknowledge only then",
            "STALE": "answer from the shared store, or tell every instance's cache of each upload before acknowledging "
            "it",
        },
    )

    @classmethod
    def check(cls, terms: Promise) -> str:
        if not any(carries_file(step) for step in terms.do):
            return "`do` uploads nothing: say `upload: FIELD` (a part of a form) or `body: $blob` (the whole body)"
        if terms.see[-1].value is not None or terms.see[-1].values is not None:
            return "`see` of an upload reads the whole body: it takes no value and no values"
        if terms.size is not None and terms.size > LARGEST:
            return f"size is at most {LARGEST // 1_000_000} MB: longer answers are not read whole"
        return ""

    @property
    def _each(self) -> bool:
        return (self.terms.of or self.default_of) == "value"

    @property
    def _size(self) -> int:
        return self.terms.size or DEFAULT_SIZE

    @property
    def _share(self) -> float:
        """Of its turns, those in which a session uploads."""
        return min(1.0, EASY / self._size)

    def shows(self, seen: str, value: str) -> bool:
        return seen == value

    def requests_a_turn(self) -> float:
        made = requests(self.terms.see) + requests(self.terms.do)
        return self._share * (made + 2 * self._size / WEIGHS)

    def begin(self, hand: Hand) -> None:
        """Nothing: the first turn's read is the base."""

    def turn(self, hand: Hand) -> None:
        if self._each:
            self._add(hand)
        elif hand.draw() < self._share:
            hand.see(OWN, "")
            if hand.alive():
                hand.do(OWN, hand.new_value())
        elif hand.exposed():
            hand.see(OWN, "")

    def end(self, hand: Hand) -> None:
        """What was uploaded stays."""

    def object_of(self, session: str, value: str) -> str:
        return value if self._each else OWN

    def _add(self, hand: Hand) -> None:
        certain = hand.certain()
        for obj in hand.exposed()[:READ_BACK] or self._one_of(hand, certain):
            if hand.alive():
                hand.see(obj, obj)
        most = min(MOST, max(FEWEST, HELD // self._size))
        if hand.alive() and len(certain) < most and hand.draw() * (1 + len(certain) / FEW) < self._share:
            value = hand.new_value()
            hand.do(value, value)

    def _one_of(self, hand: Hand, certain: list[str]) -> list[str]:
        if not certain or hand.draw() >= self._share:
            return []
        return [certain[int(hand.draw() * len(certain))]]
