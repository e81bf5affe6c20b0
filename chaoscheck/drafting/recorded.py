"""From a recording to promises: each guess was tried on the recorded answers before it is written."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from chaoscheck.drafting import carried, places, words
from chaoscheck.drafting.carried import Who
from chaoscheck.drafting.draft import A_LIST, Json, Note, PromiseDraft, StepDraft, Sure
from chaoscheck.drafting.har import Exchange, Recording
from chaoscheck.errors import PlanError
from chaoscheck.model.secrecy import names_secret

MOST_WRITES = 4
SHORTEST_SECRET = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How the recording logged in: the exchanges (a sign-up, a login or both), who, and what later steps need of it."""

    steps: tuple[Exchange, ...]
    who: Who
    takes: dict[str, str]
    texts: dict[str, str]
    headers: dict[str, str]

    @property
    def last(self) -> Exchange:
        return self.steps[-1]


def promises(recording: Recording, where: str) -> tuple[PromiseDraft, ...]:
    """The login and what was written and seen again after it. Raises PlanError where nobody logs in."""
    story = recording.exchanges
    login = _login(story) or _basic(story)
    if login is None:
        raise PlanError(
            f"nobody logs in in {where}: no request with a password was answered well",
            hint="record it again from before the login, with the content of requests and answers",
        )
    author = _Author(recording, login, where)
    return (*([author.session()] if login.steps else []), *author.writes())


def sends_basic(recording: Recording) -> bool:
    """Whether nobody logs in there, and credentials go with each request."""
    return _login(recording.exchanges) is None and _basic(recording.exchanges) is not None


def secrets(recording: Recording) -> tuple[str, ...]:
    """Passwords, cookies, credentials and what is named so: none may stand in a plan, whatever went wrong."""
    found: set[str] = set()
    for each in recording.exchanges:
        found |= set(carried.passwords(each)) | {each.header("authorization").rpartition(" ")[2]}
        said = [*carried.sent(each), *parse_qsl(urlsplit(each.path).query)]
        named = [value for name, value in said if names_secret(name)]
        found |= {text for value in named for text in (value, quote(value), quote_plus(value))}
        crumbs = [*each.page.answer.header_all("set-cookie"), *each.header("cookie").split(";")]
        found |= {crumb.partition(";")[0].partition("=")[2] for crumb in crumbs}
    basic = _basic(recording.exchanges)
    found |= {basic.who.password} if basic else set()
    return tuple(sorted((text for text in found if len(text) >= SHORTEST_SECRET), key=len, reverse=True))


def public_url(recording: Recording) -> str:
    """The address that was opened, where it is a name of its own: services that know theirs refuse others."""
    host = urlsplit(recording.origin).hostname or ""
    local = host in ("localhost", "::1") or re.fullmatch(r"[\d.]+", host) is not None
    return "" if local else recording.origin


def _login(story: Sequence[Exchange]) -> Login | None:
    able = [each for each in story if each.method in ("POST", "PUT") and each.status < 400 and carried.passwords(each)]
    able = [each for each in able if not words.NOT_LOGIN.search(each.path)]
    if not able:
        return None
    signups = [each for each in able if _signs_up(each)]
    logins = [each for each in able if each not in signups]
    if not logins:
        steps = signups[:1]
    elif not signups or logins[0].at < signups[0].at:
        steps = logins[:1]
    else:
        between = [each for each in story if signups[0].at < each.at < logins[0].at and each.method == "GET"]
        who = carried.who(signups[0])
        known = who is not None and any(places.shows(each, who.user) for each in between)
        steps = signups[:1] if known else [signups[0], logins[0]]
    who = carried.who(steps[-1])
    return None if who is None else _with_needs(story, tuple(steps), who)


def _basic(story: Sequence[Exchange]) -> Login | None:
    """HTTP Basic: a user, and nothing that logs in."""
    for each in story:
        scheme, _, word = each.header("authorization").partition(" ")
        if scheme.lower() == "basic" and each.status < 400:
            user, colon, password = base64.b64decode(word + "==").decode("utf-8", "replace").partition(":")
            if colon and user:
                return Login(steps=(), who=Who(user=user, password=password), takes={}, texts={}, headers={})
    return None


def _signs_up(each: Exchange) -> bool:
    return bool(words.SIGNUP.search(each.path)) or len(carried.passwords(each)) > 1


def _with_needs(story: Sequence[Exchange], steps: tuple[Exchange, ...], who: Who) -> Login:
    """The tokens and ids of the login's answer that later requests send back."""
    takes: dict[str, str] = {}
    texts: dict[str, str] = {}
    headers: dict[str, str] = {}
    answer = steps[-1]
    for each in (each for each in story if each.at > answer.at):
        scheme, _, token = each.header("authorization").partition(" ")
        if token and not texts.get(token) and (found := places.find(answer, token)):
            takes["token"], texts[token] = found, "$token"
            headers["Authorization"] = f"{scheme} $token"
        for ident in carried.ids(each.path):
            if ident not in texts and "me" not in takes and (found := places.find(answer, ident)):
                takes["me"], texts[ident] = found, "$me"
    if not headers and not any(each.header("authorization") or each.header("cookie") for each in story):
        takes, headers = _cut_out(answer, takes)
    return Login(steps=steps, who=who, takes=takes, texts=texts, headers=headers)


def _cut_out(answer: Exchange, takes: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Browsers save recordings without credentials: a token in the login's answer is then taken for a bearer's."""
    if answer.page.answer.header("set-cookie"):
        return takes, {}
    for document in answer.page.json:
        for path, value in places.leaves(document):
            if isinstance(value, str) and words.TOKEN.search(carried.last(path)):
                return {**takes, "token": f"json:{path}"}, {"Authorization": "Bearer $token"}
    return takes, {}


class _Author:
    """Writes the promises of one recording."""

    def __init__(self, recording: Recording, login: Login, where: str) -> None:
        self.story = recording.exchanges
        self.origin = recording.origin
        self.login = login
        self.where = where
        self.after = [each for each in self.story if not login.steps or each.at > login.last.at]
        self.logout = next((each for each in self.after if words.LOGOUT.search(each.path)), None)
        if self.logout is not None:
            self.after = [each for each in self.after if each.at < self.logout.at]

    def session(self) -> PromiseDraft:
        """The login, who is seen, and the logout."""
        last = len(self.login.steps) - 1
        do: list[StepDraft] = []
        for index, each in enumerate(self.login.steps):
            do += self._steps(each, {}, strict=index == last)
        if self.login.takes:
            take: Json = {**self.login.takes}
            do[-1] = replace(do[-1], keys={**do[-1].keys, "take": take})
        undo = self.logout and replace(self._request(self.logout, {}), keys={"expect": self.logout.status})
        signs_up = _signs_up(self.login.last)
        notes = [
            Note(text=f"{'signing up logs in' if signs_up else 'login'}: {self._at(self.login.last)}", sure=Sure.SEEN)
        ]
        if not signs_up and len(do) == 1:
            notes.append(Note(text="users have to exist: `accounts` says who they are", sure=Sure.GUESS))
        common = PromiseDraft(
            name="login", kind="session", do=tuple(do), undo=(undo,) if undo else (), notes=tuple(notes)
        )
        see, seen = self._identity()
        if see is None or seen is None:
            return replace(
                common, missing="which GET shows who is logged in; no answer of the recording has the user's name"
            )
        notes.append(Note(text=f"who is logged in: {self._at(seen)}", sure=Sure.SEEN))
        return replace(common, see=(see,), notes=tuple(notes))

    def writes(self) -> Iterator[PromiseDraft]:
        """What was written and shown again later; one promise a path."""
        done: set[str] = set()
        names: set[str] = {"login"}
        for write in self.after:
            path = urlsplit(write.path).path
            if write.method not in ("POST", "PUT", "PATCH") or write.status >= 400 or path in done:
                continue
            found = self._promise(write)
            if found is not None and len(done) < MOST_WRITES:
                done.add(path)
                name = found.name if found.name not in names else f"{found.name}_{len(names)}"
                names.add(name)
                yield replace(found, name=name)

    def _promise(self, write: Exchange) -> PromiseDraft | None:
        later = [each for each in self.after if each.at > write.at and each.method == "GET" and each.status < 300]
        for value in self._values(write):
            reads = sorted((each for each in later if places.shows(each, value)), key=lambda each: len(each.path))
            for kind, seen, take in self._ways(write, value, reads):
                see = self._see(kind, seen, value, take)
                if see is not None:
                    return PromiseDraft(
                        name=self._name(write, value),
                        kind=kind,
                        do=self._steps(write, {value: "$value"}, take=take),
                        see=(see,),
                        notes=self._notes(write, seen, lists=kind == "kept" and not take and "$value" not in see.path),
                    )
        return None

    def _notes(self, write: Exchange, seen: Exchange, *, lists: bool) -> tuple[Note, ...]:
        note = Note(text=f"{self._at(write)}, seen again by {self._at(seen)}", sure=Sure.SEEN)
        return (note, A_LIST) if lists else (note,)

    def _name(self, write: Exchange, value: str) -> str:
        """From its path, or from the field where that says nothing."""
        path = urlsplit(self._path(write.path, {})).path
        field = next((carried.last(name) for name, text in carried.sent(write) if text == value), "")
        return words.named(path) if words.named(path) != words.NAMELESS else words.named(field)

    def _ways(
        self, write: Exchange, value: str, reads: Sequence[Exchange]
    ) -> Iterator[tuple[str, Exchange, dict[str, str]]]:
        """(kind, the read, what the write's answer must tell), the surest first."""
        path = urlsplit(write.path).path
        if write.method == "POST":
            yield from self._own_page(write, reads)
        for seen in reads:
            if places.replaced(seen.path, value, "$value"):
                yield "kept", seen, {}
        for seen in reads:
            if (
                urlsplit(seen.path).path == path
                and places.find(seen, value)
                and "[" not in places.find(seen, value)[:60]
            ):
                yield "register", seen, {}
        for seen in reads:
            if urlsplit(seen.path).path == path and places.find(seen, value).startswith("css:"):
                yield "register", seen, {}
        if write.method != "POST":
            yield from self._own_page(write, reads)
        for seen in reads:
            if not [each for each in carried.ids(seen.path) if each not in self.login.texts]:
                yield ("kept" if write.method == "POST" else "register"), seen, {}

    def _own_page(self, write: Exchange, reads: Sequence[Exchange]) -> Iterator[tuple[str, Exchange, dict[str, str]]]:
        """The object itself, by what the write's answer calls it; the redirect's own page where it leads there."""
        target = urlsplit(write.page.headers.get("location", "")).path
        known = any(urlsplit(each.path).path == target for each in self.story if each.at <= write.at)
        slug = [target.rpartition("/")[2]] if target and not known else []
        for seen in reads:
            segments = urlsplit(seen.path).path.split("/")
            names = [each for each in [*carried.ids(seen.path), *slug] if each in segments]
            for ident in dict.fromkeys(names):
                if ident in self.login.texts or ident in urlsplit(write.path).path.split("/"):
                    continue
                if found := places.find(write, ident):
                    yield "kept", carried.without_message(seen, ident), {ident: found}

    def _values(self, write: Exchange) -> list[str]:
        """Texts that were typed there, the longest first: the likeliest to be seen again, and to be its own."""
        fields = dict(carried.sent(write))
        posted = carried.form_of(write, [each for each in self.story if each.at < write.at], self.origin)
        if posted is not None:
            fields = carried.typed(write, posted[1])
        own = (self.login.who.user, self.login.who.password)
        texts = [
            text for name, text in fields.items()
            if len(text) >= carried.SHORTEST and text not in own and not words.PASSWORD.search(name)
            and not words.CSRF.search(name) and not text.isdigit()
        ]  # fmt: skip
        return sorted(dict.fromkeys(texts), key=len, reverse=True)

    def _see(self, kind: str, seen: Exchange, value: str, take: dict[str, str]) -> StepDraft | None:
        step = self._request(seen, {value: "$value"} | dict.fromkeys(take, "$id"))
        if kind == "register":
            found = places.find(seen, value)
            return StepDraft(method="get", path=step.path, keys={**step.keys, "value": found}) if found else None
        pattern = places.around(seen, value) if seen.is_html else ""
        expect: Json = {"match": pattern} if pattern else "$value"
        return StepDraft(method="get", path=step.path, keys={**step.keys, "expect": expect})

    def _identity(self) -> tuple[StepDraft | None, Exchange | None]:
        user = self.login.who.user
        guests = {
            urlsplit(each.path).path for each in self.story if each.at < self.login.last.at and places.shows(each, user)
        }
        reads = [
            each for each in self.after if each.method == "GET" and each.status == 200 and places.shows(each, user)
        ]
        reads = [each for each in reads if urlsplit(each.path).path not in guests]
        for seen in sorted(reads, key=self._plainness):
            if found := places.find(seen, user):
                step = self._request(seen, {})
                keys: dict[str, Json] = {"headers": {**self.login.headers}} if self.login.headers else {}
                keys |= {**step.keys, "value": found, "expect": {"value": "$user"}}
                return StepDraft(method="get", path=step.path, keys=keys), seen
        return None, None

    def _plainness(self, seen: Exchange) -> tuple[bool, bool, bool, int]:
        written = any(each.at < seen.at and each.method != "GET" for each in self.after)
        named = words.IDENTITY.search(urlsplit(seen.path).path) is None
        return (seen.is_html, named, bool(list(carried.ids(seen.path))) or written, len(seen.path))

    def _steps(
        self, each: Exchange, values: dict[str, str], *, strict: bool = True, take: dict[str, str] | None = None
    ) -> tuple[StepDraft, ...]:
        """The write, after the page that gave it the token of its header, if it sent one."""
        step = self._step(each, values, strict=strict, take=take)
        for name, token in each.headers:
            for source in reversed([other for other in self.story if other.at < each.at]):
                found = _cookie(source, token) or places.find(source, token)
                if words.CSRF.search(name) and len(token) > 5 and source.method == "GET" and found:
                    before = replace(self._request(source, {}), keys={"take": {"csrf": found}})
                    return before, replace(step, keys={"headers": {name: "$csrf"}, **step.keys})
        return (step,)

    def _step(
        self, each: Exchange, values: dict[str, str], *, strict: bool = True, take: dict[str, str] | None = None
    ) -> StepDraft:
        """The write as a step of the plan: a form by `submit` where its page was recorded, else as it was sent."""
        posted = carried.form_of(each, [other for other in self.story if other.at < each.at], self.origin)
        keys: dict[str, Json] = {}
        if posted is not None:
            page, form = posted
            keys["form"] = carried.filled(carried.typed(each, form).items(), self.login.who, values)
            method, path = "submit", self._path(page.path, values)
        else:
            method, path = each.method.lower(), self._path(each.path, values)
            if each.document is not None:
                keys["json"] = carried.held(each.document, self.login.who, values)
            elif each.fields:
                keys["form"] = carried.filled(each.fields, self.login.who, values)
        if strict and (each.method, each.status) not in (("PUT", 200), ("PUT", 201)):
            # The first PUT makes, the next ones replace: what one recording saw is not what all answer.
            keys["expect"] = self._expect(each, posted[0] if posted else None)
        if take:
            keys["take"] = dict.fromkeys(["id"], next(iter(take.values())))
        return StepDraft(method=method, path=path, keys=keys)

    def _expect(self, each: Exchange, page: Exchange | None) -> Json:
        """The status; of a form that was answered with a page, its title where the form's own page has another."""
        if not each.is_html or each.status >= 300:
            return each.status
        title, before = _title(each), _title(page) if page else ""
        own = self.login.who.hidden(title)
        return title if title and title != before and own == title else each.status

    def _request(self, each: Exchange, values: dict[str, str]) -> StepDraft:
        return StepDraft(method=each.method.lower(), path=self._path(each.path, values))

    def _path(self, path: str, values: dict[str, str]) -> str:
        """With names for the user, what the login told, and the values; a dollar of its own is written twice."""
        made = path.replace("$", "$$")
        for text, name in {self.login.who.user: "$user", **self.login.texts, **values}.items():
            # A first object's id is 1; a name or a text of one letter may stand anywhere.
            made = ((len(text) >= 2 or name == "$id") and places.replaced(made, text, name)) or made
        return made

    def _at(self, each: Exchange) -> str:
        return f"{each.method} {self._path(each.path, {}).partition('?')[0]} in {self.where}"


def _cookie(source: Exchange, token: str) -> str:
    """`cookie:NAME` where that answer sets it to the token."""
    crumbs = (crumb.partition(";")[0].partition("=") for crumb in source.page.answer.header_all("set-cookie"))
    return next((f"cookie:{name.strip()}" for name, _, value in crumbs if value == token), "")


def _title(each: Exchange) -> str:
    titles = [title for root in each.page.tree for title in root.iter("title")]
    return " ".join("".join(titles[0].itertext()).split()) if titles else ""
