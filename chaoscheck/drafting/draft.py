"""A plan in the making: what was found, where, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None
"""What YAML and JSON both can say."""


SAY_HERE = "say here"
"""Every line of a plan that waits for the user has it."""


class Sure(StrEnum):
    """How far a guess can be trusted."""

    SAID = "as you said"
    SEEN = "seen to work in the recording"
    FOUND = "found"
    LIKELY = "likely"
    GUESS = "a guess"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A guess in a sentence: `text` says what it is and where it comes from."""

    text: str
    sure: Sure

    def line(self) -> str:
        """For a comment of the plan."""
        return f"{self.text} ({self.sure.value})"


A_LIST = Note(
    text="see reads a list: one that shows only its newest forgets its oldest, which looks like a loss; ask for the "
    "object itself (take its id from the answer of do), or a list that shows all",
    sure=Sure.GUESS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDraft:
    """One request as the plan will write it: the method's key, the path, and its other keys in their order."""

    method: str
    path: str
    keys: dict[str, Json] = field(default_factory=dict)

    def plain(self) -> dict[str, Json]:
        """The mapping that stands in the plan."""
        return {self.method: self.path, **self.keys}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseDraft:
    """A promise that was found. `missing` is what the user still has to say; such a promise is written as a comment."""

    name: str
    kind: str
    do: tuple[StepDraft, ...]
    see: tuple[StepDraft, ...] = ()
    undo: tuple[StepDraft, ...] = ()
    of: str = ""
    notes: tuple[Note, ...] = ()
    missing: str = ""


SOURCES = frozenset({"image", "build", "command", "compose", "service", "attach"})
"""Keys of the target that say what to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDraft:
    """The service: the keys of `target` in their order, where each comes from, and lines that the user may want."""

    keys: dict[str, Json] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    maybe: tuple[str, ...] = ()

    def over(self, other: TargetDraft) -> TargetDraft:
        """This, and what only the other knows. One that says what to run says it alone."""
        mine = bool(SOURCES & set(self.keys))
        rest = {
            key: value for key, value in other.keys.items() if not (mine and key in SOURCES) and key not in self.keys
        }
        notes = tuple(note for note in other.notes if note.text.partition(":")[0] in {*rest, "beside"})
        keys = _ordered(rest | self.keys)
        if isinstance(ours := self.keys.get("env"), dict) and isinstance(theirs := other.keys.get("env"), dict):
            keys["env"] = theirs | ours
            notes += tuple(note for note in other.notes if note.text.startswith("env:") and set(theirs) - set(ours))
        maybe = () if "compose" in keys else other.maybe
        return TargetDraft(keys=keys, notes=self.notes + notes, maybe=self.maybe + maybe)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a plan will say, before it is written."""

    target: TargetDraft
    promises: tuple[PromiseDraft, ...] = ()
    stores: dict[str, Json] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What may not be written, whatever else was found."""

    @property
    def whole(self) -> tuple[PromiseDraft, ...]:
        """Those that lack nothing."""
        return tuple(promise for promise in self.promises if not promise.missing)


_ORDER = (
    "compose",
    "service",
    "image",
    "build",
    "dockerfile",
    "command",
    "port",
    "ready",
    "public_url",
    "env",
    "setup",
    "auth",
)


def _ordered(keys: dict[str, Json]) -> dict[str, Json]:
    known = {key: keys[key] for key in _ORDER if key in keys}
    return known | keys
