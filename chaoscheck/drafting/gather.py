"""All that was given and found, as one draft: what was said wins over what was recorded, described or read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from chaoscheck.drafting import composed, endpoints, folder, har, openapi, recorded
from chaoscheck.drafting.draft import Draft, Json, Note, PromiseDraft, Sure, TargetDraft
from chaoscheck.errors import PlanError


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A text that was read, and what to call it."""

    text: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the user said. `here` is where he stands, `base` the plan's folder; paths are as seen from `here`."""

    here: Path
    base: Path
    said: dict[str, Json]
    promises: tuple[PromiseDraft, ...] = ()
    compose: Path | None = None
    service: str = ""
    openapi: Source | None = None
    har: Source | None = None
    stores: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Note] = field(default_factory=dict)
    """Where a key of `said` comes from, if not from the command line."""

    @property
    def looks_at(self) -> Path | None:
        """The folder to look at: the one to build, else this one; none where an image or a compose file is given."""
        build = self.said.get("build")
        if isinstance(build, str):
            return self.here / build
        return None if "image" in self.said or self.compose is not None else self.here


def gather(given: Given) -> Draft:
    """The draft. Raises PlanError for files that can't be read as what they should be."""
    notes = tuple(
        given.notes.get(key, Note(text=f"{key}: from the command line", sure=Sure.SAID)) for key in given.said
    )
    target = TargetDraft(keys=_from_base(given), notes=notes)
    found = folder.look(given.looks_at, base=given.base) if given.looks_at is not None else None
    compose = given.compose or (found.compose if found and not {"build", "command"} & set(given.said) else None)
    if compose is not None:
        target = target.over(_composed(compose, given))
        built = composed.build_folder(compose, str(target.keys.get("service", "")))
        found = folder.look(built, base=given.base) if built is not None else found
    described = _described(given.openapi or _read(found.openapi if found else None))
    groups: list[tuple[PromiseDraft, ...]] = [given.promises]
    secrets: tuple[str, ...] = ()
    if given.har is not None:
        recording = har.read(given.har.text, given.har.name)
        groups.append(recorded.promises(recording, given.har.name))
        secrets = recorded.secrets(recording)
        target = target.over(_opened(recording, given.har.name))
        if recorded.sends_basic(recording):
            target = target.over(_with_basic(f"in {given.har.name} it is", Sure.SEEN))
    if described is not None:
        groups.append(endpoints.promises(described.endpoints, basic=described.basic))
        target = target.over(folder.ready_of(described.endpoints))
        if described.basic and not any(promise.kind == "session" for group in groups for promise in group):
            target = target.over(_with_basic("the API description names", Sure.LIKELY))
    if found is not None:
        groups.append(endpoints.promises(found.endpoints, basic="auth" in target.keys))
        target = target.over(found.target)
    return Draft(target=target, stores=_stores(given), promises=tuple(_first_of_each(groups)), secrets=secrets)


def _with_basic(where: str, sure: Sure) -> TargetDraft:
    note = Note(text=f"auth: {where} HTTP Basic, so credentials go with each request", sure=sure)
    return TargetDraft(keys={"auth": "$user:$password"}, notes=(note,))


def relative(path: Path, base: Path) -> str:
    """The path as the plan writes it."""
    return Path(os.path.relpath(path.resolve(), base.resolve())).as_posix()


def _from_base(given: Given) -> dict[str, Json]:
    build = given.said.get("build")
    return given.said | ({"build": relative(given.here / build, given.base)} if isinstance(build, str) else {})


def _stores(given: Given) -> dict[str, Json]:
    """An image, or a folder to build where there is one of that name."""
    return {
        name: {"build": relative(given.here / what, given.base)} if (given.here / what).is_dir() else {"image": what}
        for name, what in given.stores.items()
    }


def _composed(compose: Path, given: Given) -> TargetDraft:
    """Of a file that was merely found, not to know which service is meant is no mistake."""
    try:
        return composed.target(compose, given.service, relative(compose, given.base))
    except PlanError:
        if given.compose is not None:
            raise
        return TargetDraft()


def _described(source: Source | None) -> openapi.Described | None:
    return None if source is None else openapi.read(source.text, source.name)


def _read(path: Path | None) -> Source | None:
    return None if path is None else Source(text=path.read_text(encoding="utf-8", errors="replace"), name=path.name)


def _opened(recording: har.Recording, name: str) -> TargetDraft:
    url = recorded.public_url(recording)
    note = Note(text=f"public_url: {name} was recorded there; users act as if they had opened it", sure=Sure.FOUND)
    return TargetDraft(keys={"public_url": url}, notes=(note,)) if url else TargetDraft()


def _first_of_each(groups: Iterable[tuple[PromiseDraft, ...]]) -> list[PromiseDraft]:
    """One login, from the best source that has one; writes of the best source that has any."""
    login: list[PromiseDraft] = []
    writes: list[PromiseDraft] = []
    for group in groups:
        login = login or [promise for promise in group if promise.kind == "session"]
        writes = writes or [promise for promise in group if promise.kind != "session"]
    return login + writes
