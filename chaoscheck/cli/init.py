"""`chaoscheck init`: a first plan, from what is given, found, or asked."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from chaoscheck.cli import init_options as options
from chaoscheck.cli.complaints import WRONG_USAGE, complain
from chaoscheck.errors import ChaosError, PlanError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chaoscheck.drafting.draft import Draft, Json, PromiseDraft
    from chaoscheck.drafting.gather import Given, Source

SCHEMA = Path(".chaoscheck") / "plan.schema.json"
MOST_BYTES = 300_000_000
FETCH_S = 10.0
LOCAL = ("localhost", "127.0.0.1", "::1")


def init(
    plan: options.Plan = Path("plan.yaml"),
    image: options.Image = None,
    build: options.Build = None,
    command: options.Command = None,
    port: options.Port = None,
    ready: options.Ready = None,
    env: options.Env = None,
    setup: options.Setup = None,
    auth: options.Auth = None,
    public_url: options.PublicUrl = None,
    login: options.Login = None,
    see: options.See = None,
    logout: options.Logout = None,
    write: options.Write = None,
    read: options.Read = None,
    compose: options.Compose = None,
    service: options.Service = "",
    store: options.Store = None,
    openapi: options.Openapi = None,
    har: options.Har = None,
    force: options.Force = False,
    yes: options.Yes = False,
    try_: options.Try = False,
) -> None:
    """Write a first, commented plan.yaml: from flags, a compose file, an OpenAPI file, a recording, or this folder."""
    from chaoscheck.drafting import flags
    from chaoscheck.drafting.gather import Given

    said: dict[str, Json] = {
        "image": image, "build": None if build is None else str(build), "command": command, "port": port,
        "ready": ready,
        "public_url": public_url,  "auth": auth,
    }  # fmt: skip
    try:
        _may_write(plan, force)
        said["setup"] = [*(setup or [])]
        said["env"] = {**_pairs("env", env or [])}
        given = Given(
            here=Path.cwd(),
            base=plan.resolve().parent,
            said={key: value for key, value in said.items() if value not in (None, {}, [])},
            promises=flags.promises(login or "", see or "", logout or "", write or [], read or []),
            compose=compose,
            service=service,
            openapi=_source(openapi) if openapi else None,
            har=_source(str(har)) if har else None,
            stores=_pairs("store", store or []),
        )
        draft = _write(plan, given, ask=not yes and sys.stdin.isatty() and sys.stderr.isatty())
    except ChaosError as error:
        complain(error)
        raise typer.Exit(WRONG_USAGE) from None
    _then(plan, draft, now=try_)


def _may_write(plan: Path, force: bool) -> None:
    if plan.exists() and not force:
        raise PlanError(f"{plan} is there already", hint="name another one, or replace it with --force")
    if not plan.resolve().parent.is_dir():
        raise PlanError(f"there is no folder {plan.parent}", hint="make it first")


def _pairs(option: str, pairs: list[str]) -> dict[str, str]:
    wrong = next((pair for pair in pairs if not pair.partition("=")[0] or "=" not in pair), None)
    if wrong is not None:
        raise PlanError(f"--{option} is NAME=value, not {wrong!r}", hint=f"several are said by several --{option}")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _source(where: str) -> Source:
    """A file's text, or that of an address of this machine. Raises PlanError."""
    from chaoscheck.drafting.gather import Source

    if where.startswith(("http://", "https://")):
        return Source(text=_fetched(where), name=urlsplit(where).path.rstrip("/").rpartition("/")[2] or where)
    path = Path(where)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PlanError(
                f"{path} is larger than {MOST_BYTES // 1_000_000} MB", hint="record less, or without videos"
            )
        return Source(text=path.read_text(encoding="utf-8-sig", errors="replace"), name=path.name)
    except OSError as error:
        raise PlanError(f"can't read {path}: {error.strerror}", hint="is the path right?") from None


def _fetched(url: str) -> str:
    import requests

    if urlsplit(url).hostname not in LOCAL:
        raise PlanError(f"{url} is not this machine", hint="fetch it yourself and give the file")
    try:
        answer = requests.get(url, timeout=FETCH_S)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise PlanError(f"{url} doesn't answer well: {error}", hint="is the service up?") from None
    return answer.text


def _write(plan: Path, given: Given, *, ask: bool) -> Draft:
    """Plan and schema, and on standard error what was found, before anything is asked."""
    from chaoscheck.drafting.gather import gather
    from chaoscheck.drafting.write import write
    from chaoscheck.plan.schema import schema

    draft = gather(given)
    told = _tell(draft, given)
    if ask:
        draft = _asked(draft, given)
        _tell(draft, given, told)
    home = plan.resolve().parent / SCHEMA
    home.parent.mkdir(exist_ok=True)
    home.write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
    plan.write_text(write(draft, schema=SCHEMA.as_posix()), encoding="utf-8")
    return draft


def _tell(draft: Draft, given: Given, told: Sequence[str] | None = None) -> list[str]:
    """What was found and not told yet, and the best source of what was not; the lines."""
    from chaoscheck.drafting.write import said_by

    lines = said_by([*draft.target.notes, *(note for promise in draft.promises for note in promise.notes)])
    for line in lines:
        if line not in (told or ()):
            typer.echo(f"found   {line}", err=True)
    if not draft.whole and told is None:
        where = f" in {given.looks_at}" if given.looks_at is not None else ""
        typer.echo(
            f"found   nothing{where} that tells what users do: a recording of the browser (--har) or an API "
            "description (--openapi) would",
            err=True,
        )
    return lines


def _asked(draft: Draft, given: Given) -> Draft:
    """The draft with answers to what nothing told; an empty answer leaves the gap."""
    from chaoscheck.drafting.draft import SOURCES, Note, Sure
    from chaoscheck.drafting.gather import gather

    said: dict[str, Json] = {}
    notes: dict[str, Note] = {}
    keys = draft.target.keys
    if not SOURCES & set(keys):
        answer = _ask("What to run: a folder with a Dockerfile, or an image")
        if answer:
            said["build" if (given.here / answer).is_dir() else "image"] = answer
    for key, question, default, check in _PLACES:
        if key not in keys:
            answer = _ask(question, default, check)
            said[key] = int(answer) if answer.isdecimal() else answer
            if answer == default:
                notes[key] = Note(text=f"{key}: {default} is usual; nothing told", sure=Sure.GUESS)
    notes = {key: Note(text=f"{key}: your answer", sure=Sure.SAID) for key in said} | notes
    more = _promised(draft)
    if not said and not more:
        return draft
    whole = {**given.said, **said}
    return gather(replace(given, said=whole, notes=notes, promises=(*given.promises, *more)))


def _promised(draft: Draft) -> tuple[PromiseDraft, ...]:
    """The login and the write that nothing told, as they are answered."""
    from chaoscheck.drafting import flags
    from chaoscheck.drafting.draft import Note, Sure

    known = {promise.kind == "session" for promise in draft.whole}
    login = see = write = read = ""
    if True not in known and "auth" not in draft.target.keys:
        login = _ask("How does a user log in, such as: POST /login user password", check=_no_request)
        see = _ask("What shows who is logged in, such as: GET /me json:user", check=_no_request) if login else ""
    if False not in known:
        write = _ask("What does a user write, such as: PUT /note text", check=_no_request)
        read = _ask("What shows it, such as: GET /note json:text", check=_no_request) if write else ""
    more = flags.promises(login, see, "", [write] if write else [], [read] if read else [])
    return tuple(replace(each, notes=(Note(text="your answer", sure=Sure.SAID),)) for each in more)


def _ask(question: str, default: str = "", check: Callable[[str], str] | None = None) -> str:
    """The answer; one that `check` has something against is asked for again."""
    while True:
        answer = str(typer.prompt(question, default=default, show_default=bool(default), err=True)).strip()
        wrong = check(answer) if check and answer else ""
        if not wrong:
            return answer
        typer.echo(wrong, err=True)


def _no_port(answer: str) -> str:
    good = answer.isdecimal() and 0 < int(answer) < 65536
    return "" if good else f"{answer!r} is no port: a number from 1 to 65535"


def _no_path(answer: str) -> str:
    return "" if answer.startswith("/") else f"{answer!r} is no path: it begins with /, such as /healthz"


def _no_request(answer: str) -> str:
    from chaoscheck.drafting import flags

    try:
        flags.step(answer)
    except PlanError as error:
        return f"{error.message}: {error.hint}"
    return ""


_PLACES = (
    ("port", "Which port does it listen on", "8000", _no_port),
    ("ready", "Which path answers 2xx once it serves", "/", _no_path),
)


def _then(plan: Path, draft: Draft, *, now: bool) -> None:
    """What is missing, by its line; then the next command, if the plan has something to try."""
    from chaoscheck.drafting.draft import SAY_HERE, SOURCES

    lines = plan.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if SAY_HERE in line:
            typer.echo(f"missing {plan}:{number}: {line.partition(SAY_HERE)[2].strip(' :,')}", err=True)
    words = shlex.join(["chaoscheck", "try", str(plan)])
    typer.echo(f"wrote   {plan}", err=True)
    if not draft.whole or not SOURCES & set(draft.target.keys):
        lacks = ["what to run"] if not SOURCES & set(draft.target.keys) else []
        lacks += ["a promise"] if not draft.whole else []
        typer.echo(f"next    it lacks {' and '.join(lacks)}: fill in what is missing, then {words}", err=True)
        if not now:
            return
    elif not now:
        typer.echo(words)
        return
    typer.echo(f"        {words}", err=True)
    from chaoscheck.cli import app

    app.try_(plan)
