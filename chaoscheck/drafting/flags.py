"""Requests as one types them: `POST /login user password`, `PUT /note text=$value`, `GET /me json:user`."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence

from chaoscheck.drafting import words
from chaoscheck.drafting.draft import Json, Note, PromiseDraft, StepDraft, Sure
from chaoscheck.errors import PlanError
from chaoscheck.plan.steps import METHODS

_READS = re.compile(r"^(json|css|match|header|cookie):")
_HINT = "write it as 'POST /login user password', 'PUT /note text=$value' or 'GET /me json:user'"
_SAID = Note(text="from the command line", sure=Sure.SAID)


def step(text: str, *, expect: Json = None, login: bool = False) -> StepDraft:
    """The request that the text says. After method and path: `{...}` is a JSON body, `name` or `name=value` one of its
    members (of a form where the method is SUBMIT; a `login` sends the user's), `json:...` and the like what to read, a
    number the status.

    Raises PlanError, with how to write it.
    """
    method, path, rest = _split(text)
    body: dict[str, Json] = {}
    keys: dict[str, Json] = {}
    for word in rest:
        if _READS.match(word):
            keys["value"] = word
        elif re.fullmatch(r"[1-5]\d\d", word):
            keys["expect"] = int(word)
        else:
            name, equals, value = word.partition("=")
            body[name] = value if equals else _meant(name, login)
    if text.find("{") > 0:
        keys = {"json": _document(text), **keys}
    elif body:
        keys = {("form" if method == "submit" else "json"): body, **keys}
    if expect is not None and "value" in keys:
        keys["expect"] = expect
    return StepDraft(method=method, path=path, keys=keys)


def session(login: str, see: str, logout: str) -> PromiseDraft:
    """The login as it was said; what wasn't is still missing."""
    undo = (step(logout),) if logout else ()
    do = (step(login, login=True),)
    if not see:
        return PromiseDraft(name="login", kind="session", do=do, undo=undo, notes=(_SAID,), missing=_MISSING_SEE)
    seen = step(see, expect={"value": "$user"})
    if "expect" not in seen.keys:
        seen = StepDraft(method=seen.method, path=seen.path, keys={**seen.keys, "expect": "$user"})
    return PromiseDraft(name="login", kind="session", do=do, see=(seen,), undo=undo, notes=(_SAID,))


_MISSING_SEE = 'which GET shows who is logged in: --see "GET /me json:user"'


def register_or_kept(write: str, read: str) -> PromiseDraft:
    """What is written and read again: a register where the read says what to take as its value, else kept."""
    do, name = step(write), words.named(write.split()[1] if len(write.split()) > 1 else "")
    if not read:
        return PromiseDraft(name=name, kind="register", do=(do,), notes=(_SAID,), missing=_MISSING_READ)
    see = step(read)
    kind = "register" if "value" in see.keys else "kept"
    if kind == "kept" and "expect" not in see.keys and "$value" not in see.path:
        see = StepDraft(method=see.method, path=see.path, keys={**see.keys, "expect": "$value"})
    return PromiseDraft(name=name, kind=kind, do=(do,), see=(see,), notes=(_SAID,))


_MISSING_READ = 'which GET shows what was written: --read "GET /note json:text"'


def promises(
    login: str, see: str, logout: str, writes: Sequence[str], reads: Sequence[str]
) -> tuple[PromiseDraft, ...]:
    """Everything that was said; the first --read belongs to the first --write, and so on."""
    if len(reads) > len(writes):
        raise PlanError("there are more --read than --write", hint="each --read follows the --write that it shows")
    pairs = zip(writes, [*reads, *[""] * (len(writes) - len(reads))], strict=True)
    made = [register_or_kept(write, read) for write, read in pairs]
    if (see or logout) and not login:
        raise PlanError(
            "--see and --logout belong to a --login", hint='say it, such as --login "POST /login user password"'
        )
    return (*([session(login, see, logout)] if login else []), *made)


def _split(text: str) -> tuple[str, str, list[str]]:
    try:
        parts = shlex.split(text.partition("{")[0])
    except ValueError as error:
        raise PlanError(f"{text!r} can't be read: {error}", hint=_HINT) from None
    method = parts[0].lower() if parts else ""
    if method not in METHODS or len(parts) < 2 or not parts[1].startswith(("/", "$")):
        raise PlanError(f"{text!r} doesn't begin with a method and a path", hint=_HINT)
    return method, parts[1], parts[2:]


def _document(text: str) -> Json:
    raw = text[text.find("{") : text.rfind("}") + 1]
    try:
        made: Json = json.loads(raw)
    except ValueError:
        raise PlanError(f"{raw} is not JSON", hint='write {"user": "$user"}, the whole in single quotes') from None
    return made


def _meant(name: str, login: bool) -> str:
    """Whose name a login's members are; of other requests they are what is written."""
    if words.PASSWORD.search(name):
        return "$password"
    if not login:
        return "$value"
    if words.MAIL.search(name):
        return "$user@example.org"
    return "$user" if words.USER.search(name) else "$value"
