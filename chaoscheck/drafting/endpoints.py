"""What a service says it answers, wherever it says so, and the promises that follow from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from chaoscheck.drafting import words
from chaoscheck.drafting.draft import A_LIST, Json, Note, PromiseDraft, StepDraft, Sure

MOST_WRITES = 3

_NOT_SEEN = 'which GET shows who is logged in, such as see: {get: /me, value: "json:user", expect: {value: $user}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A member of a body: `path` leads there ("data.text"); `literal` is an example, a default or the first allowed
    value. An `open` one takes any member."""

    path: str
    type: str = "string"
    required: bool = False
    literal: Json = None
    open: bool = False

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path. `body` is json, form or ""; `shows` are the members of a good answer (JSON paths);
    `secured` is None where nothing says so; `where` tells the reader where it was found."""

    method: str
    path: str
    where: str
    name: str = ""
    body: str = ""
    fields: tuple[Field, ...] = ()
    shows: tuple[Field, ...] = ()
    statuses: tuple[int, ...] = ()
    secured: bool | None = None

    @property
    def words(self) -> str:
        return f"{self.path} {self.name}"

    def has(self, pattern: re.Pattern[str]) -> bool:
        return any(pattern.search(each.name) for each in self.fields)


def promises(endpoints: Sequence[Endpoint], *, basic: bool = False) -> tuple[PromiseDraft, ...]:
    """The login and up to three writes that can be read back. With `basic` credentials go with every request, and no
    login is looked for."""
    found = [] if basic else list(_session(endpoints))
    taken = {promise.name for promise in found}
    for promise in (*_registers(endpoints), *_kept(endpoints)):
        if promise.name not in taken and len(found) < 1 + MOST_WRITES:
            taken.add(promise.name)
            found.append(promise)
    return tuple(found)


def health(endpoints: Iterable[Endpoint]) -> Endpoint | None:
    """The path that says that an instance serves; the plainest of them."""
    able = [each for each in endpoints if each.method == "get" and words.HEALTH.search(each.path)]
    return min(able, key=lambda each: ("lb" not in each.path, "live" not in each.path, len(each.path)), default=None)


def _session(endpoints: Sequence[Endpoint]) -> Iterator[PromiseDraft]:
    login = _login(endpoints)
    if login is None:
        return
    signup = bool(words.SIGNUP.search(login.words))
    see = _identity(endpoints, login)
    token = next((each for each in login.shows if words.TOKEN.search(each.name)), None)
    keys = _body(login, {})
    if len(login.statuses) == 1:
        keys["expect"] = login.statuses[0]
    elif token is None and not login.statuses:
        keys["expect"] = 200
    if token is not None:
        keys["take"] = {"token": f"json:{token.path}"}
    notes = [Note(text=f"login: {login.where}{', which signs up' if signup else ''}", sure=_login_sure(login))]
    if not signup and (other := _signup(endpoints)):
        notes.append(
            Note(
                text=f"users have to exist: {other.where} signs them up; as a first step of `do` or in setup",
                sure=Sure.GUESS,
            )
        )
    logout = next((each for each in endpoints if _is_logout(each, login)), None)
    undo = (StepDraft(method=logout.method, path=logout.path),) if logout else ()
    if see is not None:
        notes.append(Note(text=f"who is logged in: {see.where}", sure=Sure.LIKELY if see.secured else Sure.GUESS))
    yield PromiseDraft(
        name="login",
        kind="session",
        do=(StepDraft(method=login.method, path=login.path, keys=keys),),
        see=(_see(see, token),) if see is not None else (),
        undo=undo,
        notes=tuple(notes),
        missing="" if see is not None else _NOT_SEEN,
    )


def _see(see: Endpoint, token: Field | None) -> StepDraft:
    keys: dict[str, Json] = {"headers": {"Authorization": "Bearer $token"}} if token is not None else {}
    shown = min((each for each in see.shows if words.USER.search(each.name)), key=_plainest, default=None)
    if shown is None:
        return StepDraft(method="get", path=see.path, keys={**keys, "expect": "$user"})
    return StepDraft(
        method="get", path=see.path, keys={**keys, "value": f"json:{shown.path}", "expect": {"value": "$user"}}
    )


def _plainest(shown: Field) -> tuple[bool, int]:
    return (not re.search(r"user|login", shown.name, re.IGNORECASE), shown.path.count("."))


def _login(endpoints: Sequence[Endpoint]) -> Endpoint | None:
    writes = [each for each in endpoints if each.method in ("post", "put") and "{" not in each.path]
    able = [each for each in writes if not words.NOT_LOGIN.search(each.words) and not words.LOGOUT.search(each.words)]
    named = [each for each in able if words.LOGIN.search(each.words) and not words.SIGNUP.search(each.words)]
    both = [each for each in named if each.has(words.PASSWORD)]
    ranked = both or [each for each in named if words.LOGIN.search(each.path)]
    ranked = ranked or [each for each in able if each.has(words.PASSWORD) and words.SIGNUP.search(each.words)]
    return min(ranked, key=lambda each: (each.secured is True, len(each.path)), default=None)


def _login_sure(login: Endpoint) -> Sure:
    return Sure.LIKELY if login.has(words.PASSWORD) else Sure.GUESS


def _signup(endpoints: Sequence[Endpoint]) -> Endpoint | None:
    named = (each for each in endpoints if each.method == "post" and words.SIGNUP.search(each.words))
    return next((each for each in named if each.has(words.PASSWORD)), None)


def _is_logout(each: Endpoint, login: Endpoint) -> bool:
    named = bool(words.LOGOUT.search(each.words)) and each.method in ("post", "get", "delete")
    return "{" not in each.path and (named or (each.method == "delete" and each.path == login.path))


def _identity(endpoints: Sequence[Endpoint], login: Endpoint) -> Endpoint | None:
    reads = [each for each in endpoints if each.method == "get" and "{" not in each.path]
    able = [each for each in reads if each.secured is not False and words.IDENTITY.search(each.path)]
    able = able or [each for each in reads if each.path == login.path]
    return min(able, key=lambda each: (not re.search(r"/(me|whoami)$", each.path), len(each.path)), default=None)


def _registers(endpoints: Sequence[Endpoint]) -> Iterator[PromiseDraft]:
    """What is written and read at one path: a profile, a setting; or an object of the user's own by an id of his."""
    reads = {each.path: each for each in endpoints if each.method == "get"}
    writes = [each for each in endpoints if each.method in ("put", "patch", "post")]
    order = {"put": 0, "patch": 1, "post": 2}
    for write in sorted(writes, key=lambda each: (each.path.count("{"), order[each.method])):
        read = reads.get(write.path)
        holes = re.findall(r"\{[^}]*\}", write.path)
        if read is None or _is_of_login(write) or len(holes) > 1 or (holes and write.method != "put"):
            continue
        if write.method == "post" and any(path.startswith(write.path + "/{") for path in reads):
            continue  # A collection: what is posted there is a new object.
        value = _free(write)
        if value is None or (write.method == "post" and _lists(read, value)):
            continue
        path = re.sub(r"\{[^}]*\}", "$session", write.path)
        shown = _shown(read, value)
        yield PromiseDraft(
            name=words.named(path),
            kind="register",
            do=(StepDraft(method=write.method, path=path, keys=_body(write, {value.path: "$value"}) | _status(write)),),
            see=(StepDraft(method="get", path=path, keys={"value": f"json:{shown}"}),),
            notes=(Note(text=f"{write.where}; read by {read.where}", sure=_sure(write, value)),),
        )


def _kept(endpoints: Sequence[Endpoint]) -> Iterator[PromiseDraft]:
    """What each POST makes anew, read by the id that the answer gave it."""
    gets = {each.path: each for each in endpoints if each.method == "get"}
    for make in sorted((each for each in endpoints if each.method == "post"), key=lambda each: len(each.path)):
        if "{" in make.path or _is_of_login(make):
            continue
        one = next((path for path in gets if re.fullmatch(re.escape(make.path) + r"/\{[^}]*\}", path)), None)
        value = _free(make)
        if value is not None and one is None and make.path in gets and _lists(gets[make.path], value):
            yield _listed(make, gets[make.path], value)
        if one is None or value is None:
            continue
        hole = re.findall(r"\{([^}]*)\}", one)[0]
        ident = _ident(make, gets[one], hole, value)
        yield PromiseDraft(
            name=words.named(make.path) + ("_made" if _has_register(endpoints, one) else ""),
            kind="kept",
            do=(
                StepDraft(
                    method="post",
                    path=make.path,
                    keys=_body(make, {value.path: "$value"}) | _status(make) | {"take": {"id": f"json:{ident}"}},
                ),
            ),
            see=(StepDraft(method="get", path=f"{make.path}/$id", keys={"expect": "$value"}),),
            notes=(Note(text=f"{make.where}; read by {gets[one].where}", sure=_sure(make, value)),),
        )


def _lists(read: Endpoint, value: Field) -> bool:
    """Whether it answers with many objects: what is posted there is a new one."""
    return any(each.type == "array" for each in read.shows) and all(each.name != value.name for each in read.shows)


def _listed(make: Endpoint, read: Endpoint, value: Field) -> PromiseDraft:
    """The last resort: nothing shows one object alone."""
    keys = _body(make, {value.path: "$value"}) | _status(make)
    return PromiseDraft(
        name=words.named(make.path),
        kind="kept",
        do=(StepDraft(method="post", path=make.path, keys=keys),),
        see=(StepDraft(method="get", path=read.path, keys={"expect": "$value"}),),
        notes=(Note(text=f"{make.where}; listed by {read.where}", sure=_sure(make, value)), A_LIST),
    )


def _has_register(endpoints: Sequence[Endpoint], path: str) -> bool:
    return any(each.method == "put" and each.path == path for each in endpoints)


def _ident(make: Endpoint, one: Endpoint, hole: str, value: Field) -> str:
    """Where the answer names the new object: a member called as the path's hole, or "id"; beside the written ones."""
    for shows in (make.shows, one.shows):
        for wanted in (hole, "id", "uuid", "key"):
            if found := next((each for each in shows if each.name == wanted), None):
                return found.path
    wrapper, dot, _ = value.path.rpartition(".")
    return f"{wrapper}{dot}id"


def _shown(read: Endpoint, value: Field) -> str:
    same = [each.path for each in read.shows if each.name == value.name]
    return value.path if value.path in same or not same else same[0]


def _is_of_login(write: Endpoint) -> bool:
    path = bool(words.LOGIN.search(write.words) or words.LOGOUT.search(write.words) or words.SIGNUP.search(write.words))
    return path or write.has(words.PASSWORD)


def _free(write: Endpoint) -> Field | None:
    """The field that takes any text: one that is named so, else a required string, else a member of an open object."""
    texts = [each for each in write.fields if each.type == "string" and each.literal is None and not each.open]
    texts = [each for each in texts if not re.search(r"(^|_)(id|date|time|at|url|uuid)$", each.name)]
    best = min(
        texts,
        key=lambda each: (not words.DULL.search(each.name), not each.required, each.path.count(".")),
        default=None,
    )
    if best is not None:
        return best
    opened = next((each for each in write.fields if each.open), None)
    return None if opened is None else Field(path=f"{opened.path}.text".removeprefix("."))


def _body(write: Endpoint, values: dict[str, Json]) -> dict[str, Json]:
    """`json` or `form` with what the fields need: the user's name and password, the value, and literals."""
    whole: dict[str, Json] = {}
    for each in write.fields:
        filled = _filled(each, values)
        if filled is not None and (each.required or each.path in values or str(filled).startswith("$")):
            _put(whole, each.path, filled)
    for path, value in values.items():
        _put(whole, path, value)
    if write.body == "form":
        return {"form": {key: str(value) for key, value in whole.items()}}
    return {"json": whole} if whole else {}


_OF_TYPE: dict[str, Json] = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}


def _filled(each: Field, values: dict[str, Json]) -> Json:
    if each.path in values or each.open:
        return values.get(each.path)
    if words.PASSWORD.search(each.name):
        return "$password"
    if words.USER.search(each.name) and "$value" not in values.values():
        return "$user@example.org" if words.MAIL.search(each.name) and each.literal is None else "$user"
    if each.literal is not None:
        return each.literal
    return _OF_TYPE.get(each.type, "text")


def _put(whole: dict[str, Json], path: str, value: Json) -> None:
    first, dot, rest = path.partition(".")
    if not dot:
        whole[first] = value
        return
    inner = whole.setdefault(first, {})
    if isinstance(inner, dict):
        _put(inner, rest, value)


def _status(write: Endpoint) -> dict[str, Json]:
    return {"expect": write.statuses[0]} if len(write.statuses) == 1 else {}


def _sure(write: Endpoint, value: Field) -> Sure:
    return Sure.LIKELY if words.DULL.search(value.name) and value in write.fields else Sure.GUESS
