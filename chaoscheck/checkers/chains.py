"""The shortest chain of requests that shows a finding, as curl lines."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from string import Template
from typing import Any

from chaoscheck.checkers.causes import Explained
from chaoscheck.checkers.timeline import Timeline
from chaoscheck.model.events import InstanceStarted, MatrixProbed
from chaoscheck.model.history import RawRow, SessionBorn, SessionEnded
from chaoscheck.model.ops import Lane, Op, Outcome
from chaoscheck.model.places import dialled
from chaoscheck.model.verdict import ChainLink
from chaoscheck.plan.plan import Plan
from chaoscheck.plan.steps import Step
from chaoscheck.promises.base import KINDS, Kind
from chaoscheck.steps.blob import MEDIA_TYPE, file_name, is_raw
from chaoscheck.steps.mask import Masker
from chaoscheck.steps.render import default_auth, names_taken

ENTRY = "$ENTRY"
"""Stands for the balancer's address, which was only known while the run went on."""
STREAMS = {
    "websocket": (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: Y2hhb3NjaGVja19zdHJlYQ==",
    ),
    "events": ("Accept: text/event-stream",),
}
"""How curl asks for them."""
MOST = 12
MOST_BESIDES = 9
"""Writes that show it together, and are shown together."""
EXCERPT = 90
"""Characters of an answer that a chain shows."""
_SECRET = re.compile(r"pass|secret|token|authorization|api.?key|csrf", re.IGNORECASE)


_KEPT = frozenset({Outcome.OK.value, Outcome.PENDING.value})


@dataclass(slots=True)
class Wanted:
    """One finding's representative: the operations that its chain is made of, as the history is read again."""

    explained: Explained
    user: str = ""
    login: Op | None = None
    prepared: list[Op] = field(default_factory=list)
    write: Op | None = None
    undone: Op | None = None
    reads: list[Op] = field(default_factory=list)
    besides: list[Op] = field(default_factory=list)

    @property
    def session(self) -> str:
        return self.explained.anomaly.session

    def see(self, op: Op, login: str | None) -> None:
        """One operation of the representative's session."""
        anomaly = self.explained.anomaly
        read = anomaly.read
        if (
            op.promise == login
            and op.action == "do"
            and op.outcome == Outcome.OK
            and op.judged
            and op.sent_ns <= read.sent_ns
        ):
            self.login = op
        if op.promise != anomaly.promise:
            return
        if op.rid in anomaly.besides:
            self.besides.append(op)
        elif op.action == "do" and op.sent_ns <= read.sent_ns:
            self._write(op)
        elif op.action == "undo":
            self.undone = op if op.done_ns == anomaly.acked_ns else self.undone
        elif op.obj == anomaly.obj and op.judged and (op.rid == read.rid or self._confirms(op)):
            self.reads.append(op)

    def _write(self, op: Op) -> None:
        anomaly = self.explained.anomaly
        if op.done_ns == anomaly.acked_ns or (self.write is None and op.value == anomaly.value and op.judged):
            self.write = op
        elif not op.judged:
            self.prepared = [*(known for known in self.prepared if known.seq == op.seq), op]

    def _confirms(self, op: Op) -> bool:
        read = self.explained.anomaly.read
        return (
            op.lane in (Lane.CONFIRM.value, Lane.FINAL.value)
            and op.sent_ns >= read.sent_ns
            and (op.done_ns in {again.done_ns for again in self.explained.anomaly.confirms})
        )


@dataclass(slots=True)
class Pair:
    """A failed cell of the matrix: the operations that show it."""

    cell: MatrixProbed
    user: str = ""
    login: Op | None = None
    begun: list[Op] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)

    @property
    def session(self) -> str:
        return self.cell.session

    def see(self, op: Op, login: str | None) -> None:
        """One operation of the visitor; those after the cell was told belong to its next promise."""
        if op.sent_ns > self.cell.t_ns:
            return
        if op.promise == login and op.action == "do" and op.outcome == Outcome.OK and op.judged:
            self.login = op
        elif op.promise == self.cell.promise and op.obj == self.cell.obj:
            (self.ops if op.judged else self.begun).append(op)


def pair_chain(pair: Pair, plan: Plan, known: Timeline) -> tuple[ChainLink, ...]:
    """Login and write on one instance, the read that missed it, and what both said a little later."""
    curl = _Curl(plan, known, pair.user)
    shown = _Shown(plan, pair.cell.promise)
    writes = [op for op in pair.ops if op.action == "do" and op.outcome == Outcome.OK]
    first = [op for op in pair.ops if op.action == "see" and op.lane == Lane.MATRIX.value and not shown.there(op)]
    later = {op.via: op for op in pair.ops if op.lane == Lane.CONFIRM.value}
    writes = [op for op in writes if first and op.value == first[0].value] or writes
    undone = [op for op in pair.ops if op.action == "undo" and op.outcome == Outcome.OK] if pair.cell.anomaly else []
    if undone:
        # What was undone there is shown again here.
        reads = [op for op in pair.ops if op.action == "see" and op.outcome in _KEPT]
        first = [op for op in reads if op.sent_ns > undone[-1].done_ns]
        later = {}
    links = [curl.link(pair.login, f"logged in on {_who(pair.login)}")] if pair.login is not None else []
    together = MOST_BESIDES if all(op.action == "do" for op in pair.ops) else 1
    links += [curl.link(op, f"acknowledged by {_who(op)}") for op in writes[-together:]]
    links += [curl.link(op, f"undone, acknowledged by {_who(op)}") for op in undone[-1:]]
    links += [curl.link(op, f"{op.outcome if undone else shown.said(op)} on {_who(op)}") for op in first[:1]]
    links += [curl.link(op, f"later: {shown.said(op)} on {_who(op)}") for op in later.values()]
    if not (pair.cell.told or first):
        # Nothing was read: it was begun on one and refused by the other.
        links += [curl.link(op, f"begun on {_who(op)}") for op in pair.begun]
        links += [curl.link(op, f"{op.outcome} on {_who(op)}") for op in pair.ops if op.action == "do"][-1:]
    return tuple(sorted(links, key=lambda link: link.at_ns))


class _Shown:
    """Whether an answer of the matrix shows what was written, as the promise's kind understands it."""

    def __init__(self, plan: Plan, promise: str) -> None:
        self._kind = KINDS.get(plan.promises[promise].kind)(plan.promises[promise])

    def there(self, op: Op) -> bool:
        """A read that names no value can only be asked whether it was answered."""
        return op.outcome in _KEPT and (op.outcome != Outcome.OK or not op.value or self._kind.shows(op.seen, op.value))

    def said(self, op: Op) -> str:
        if op.outcome != Outcome.OK:
            return op.outcome
        return "there" if self.there(op) else f"not there, but {op.seen[:EXCERPT]!r}"


def collect(wanted: Sequence[Wanted | Pair], files: Iterable[Iterable[RawRow]], login: str | None) -> None:
    """Read the history once more and give each representative its operations."""
    by_session: dict[str, list[Wanted | Pair]] = {}
    for one in wanted:
        by_session.setdefault(one.session, []).append(one)
    for rows in files:
        for row in rows:
            if isinstance(row, SessionEnded):
                continue
            if isinstance(row, SessionBorn):
                for one in by_session.get(row.session, ()):
                    one.user = row.user
                continue
            for one in by_session.get(row[1], ()):
                one.see(Op._make(row), login)


def chain(one: Wanted, plan: Plan, known: Timeline) -> tuple[ChainLink, ...]:
    """Login, write, death, the contradicting read, what each instance said then; in the order of time."""
    curl = _Curl(plan, known, one.user)
    links: list[ChainLink] = []
    if one.login is not None and one.login is not one.write:
        links.append(curl.link(one.login, f"logged in, acknowledged by {_who(one.login)}"))
    if one.write is not None:
        links += [curl.link(op, "prepares the next request") for op in one.prepared if op.seq == one.write.seq]
        acked = one.write.outcome == Outcome.OK
        links.append(curl.link(one.write, f"{'acknowledged by' if acked else 'sent, end unknown:'} {_who(one.write)}"))
    links += [curl.link(op, f"{op.outcome} on {_who(op)}") for op in one.besides[-MOST_BESIDES:]]
    if one.undone is not None:
        links.append(curl.link(one.undone, f"undone, acknowledged by {_who(one.undone)}"))
    death = one.explained.death
    if death is not None:
        by = f"strike {death.strike}" if death.strike >= 0 else "unasked"
        links.append(
            ChainLink(
                at_ns=death.death_ns,
                curl=f"# kill -9 {death.incarnation}",
                instance=death.incarnation,
                status=0,
                outcome="",
                note=f"{death.incarnation} killed ({by})",
            )
        )
    terms = plan.promises[one.explained.anomaly.promise]
    links += [curl.link(op, _said(op, one, KINDS.get(terms.kind)(terms))) for op in _telling(one)]
    return tuple(sorted(links, key=lambda link: link.at_ns))[:MOST]


def _telling(one: Wanted) -> list[Op]:
    """The contradicting read and the last word of each instance."""
    read = one.explained.anomaly.read
    last = {op.via: op for op in one.reads if op.rid != read.rid}
    first = [op for op in one.reads if op.rid == read.rid] or [read]
    return first + sorted(last.values(), key=lambda op: op.done_ns)


def _said(op: Op, one: Wanted, kind: Kind) -> str:
    anomaly = one.explained.anomaly
    about = anomaly.value or anomaly.seen
    if (
        op.outcome == Outcome.OK
        and op.action == "see"
        and op.seen.startswith("[")
        and type(kind).shows is not Kind.shows
    ):
        return f"{'there' if kind.shows(op.seen, about) else 'not there'}: shows {_around(op.seen, about)}"
    if op.outcome == Outcome.GONE:
        return f"gone: {op.excerpt[:EXCERPT]}" if op.excerpt else "gone"
    if op.outcome == Outcome.OK and op.action == "ledger":
        return f"lists {op.seen[:EXCERPT]}"
    if op.outcome == Outcome.OK and any(again.agrees and again.done_ns == op.done_ns for again in anomaly.confirms):
        return "there"
    if op.outcome == Outcome.OK and (not anomaly.guarantee or not op.seen or op.seen in (anomaly.value, one.user)):
        return "there"
    return f"shows {op.seen[:EXCERPT]!r} instead of {anomaly.value!r}" if op.seen else op.outcome


def _around(seen: str, about: str) -> str:
    """As much of a list as a chain shows, with what it is about in it if it is there at all."""
    since = max(0, min(seen.find(about) - EXCERPT // 3, len(seen) - EXCERPT))
    until = since + max(EXCERPT, EXCERPT // 3 + len(about))
    return f"{'…' if since else ''}{seen[since:until]}{'…' if until < len(seen) else ''}"


def _who(op: Op) -> str:
    return op.incarnation or (op.via if op.via != "lb" else "an unknown instance")


class _Curl:
    """Renders one session's requests; tokens stay names, secrets are masked."""

    def __init__(self, plan: Plan, known: Timeline, user: str) -> None:
        self._plan = plan
        self._user = user
        self._addresses = {event.instance: event.address for event in known.of(InstanceStarted)}
        public = plan.target.public_url
        self._scheme, _, self._host = public.partition("://") if public else ("", "", "")
        self._entered = _entered(plan)
        self._masker = Masker(plan.secrets)
        self._taken = ("ENTRY", *sorted(names_taken([step for one in plan.promises.values() for step in one.do])))

    def link(self, op: Op, note: str) -> ChainLink:
        return ChainLink(
            at_ns=op.sent_ns, curl=self.line(op), instance=_who(op), status=op.status, outcome=op.outcome, note=note
        )

    def line(self, op: Op) -> str:
        promise = self._plan.promises[op.promise]
        steps = promise.action(op.action)
        step = steps[-1] if op.judged or len(steps) == 1 else steps[0]
        guest = step.as_ == "guest" or promise.as_ == "guest"
        names = {"user": self._user, "password": "***", "value": op.value, "session": op.session, "obj": op.obj}
        method = (
            "GET"
            if step.method == "submit" and not op.judged
            else "POST"
            if step.method == "submit"
            else "GET"
            if step.method in STREAMS
            else step.method.upper()
        )
        words = ["curl", "-si"] + (["-X", method] if method != "GET" else [])
        for header in STREAMS.get(step.method, ()):
            words += ["-N", "-H", header] if "-N" not in words else ["-H", header]
        words += [] if guest else ["-b", "jar", "-c", "jar"]
        opened = self._entered if op.via == "lb" else None
        words += opened or ()
        if self._host and opened is None:
            words += ["-H", f"Host: {self._host}"]
        if self._host:
            words += ["-H", f"X-Forwarded-Proto: {self._scheme}"]
        for name, value in self._headers(step, guest).items():
            words += ["-H", f"{name}: {_masked(name, _filled(value, names))}"]
        auth = step.auth or (None if guest else default_auth(promise, op.action, self._plan.target.auth))
        if auth is not None:
            user, _, password = auth.partition(":")
            words += ["-u", f"{_filled(user, names)}:{_masked('password', password)}"]
        if method != "GET":
            words += self._body(step, names)
        where = f"http://{self._where(op.via)}" if opened is None else f"https://{self._host}"
        words.append(f"{where}{_filled(step.path, names)}")
        typed = " ".join(_typed(self._masker.known(word), self._taken) for word in words)
        notes = ["with the form's hidden fields"] if step.method == "submit" and op.judged else []
        notes += [f"{name}: what {reader} reads" for name, reader in step.take.items()]
        return f"{typed}  # {'; '.join(notes)}" if notes else typed

    def _headers(self, step: Step, guest: bool) -> Mapping[str, str]:
        login = self._plan.login
        shared = self._plan.promises[login].see[-1].headers if login and not guest else {}
        return {**self._plan.target.headers, **shared, **step.headers}

    def _body(self, step: Step, names: Mapping[str, str]) -> list[str]:
        """Files stand as their names: any file shows the same."""
        if is_raw(step.body):
            return ["-H", f"Content-Type: {MEDIA_TYPE}", "--data-binary", f"@{file_name(names['value'])}"]
        if step.upload is not None:
            fields = [f"{key}={_masked(key, _filled(value, names))}" for key, value in (step.form or {}).items()]
            return [word for part in (*fields, f"{step.upload}=@{file_name(names['value'])}") for word in ("-F", part)]
        if step.json_ is not None:
            text = json.dumps(_deep(step.json_, names), ensure_ascii=False)
            return ["-H", "Content-Type: application/json", "-d", text]
        if step.form is not None:
            pairs = [f"{key}={_masked(key, _filled(value, names))}" for key, value in step.form.items()]
            return [word for pair in pairs for word in ("--data-urlencode", pair)]
        return ["--data-binary", _filled(step.body, names)] if step.body is not None else []

    def _where(self, via: str) -> str:
        return ENTRY if via == "lb" else self._addresses.get(via, via)


def _entered(plan: Plan) -> tuple[str, ...] | None:
    """What lets curl dial an https entry by the name that users type; None where the entry is no https URL."""
    url, public = plan.balancer.url or "", plan.target.public_url or ""
    if not url.startswith("https:"):
        return None
    trusted = ("--cacert", plan.balancer.ca) if plan.balancer.ca else ()
    return trusted if public == url else (*trusted, "--connect-to", f"::{dialled(url)}")


def _typed(word: str, names: Iterable[str]) -> str:
    """As a shell reads it: what is still to be filled in stands as a variable."""
    parts = re.split(rf"(\$(?:{'|'.join(map(re.escape, names))})\b)", word)
    if len(parts) == 1:
        return shlex.quote(word)
    # Between variables, what a shell reads in double quotes is escaped.
    plain = (re.sub(r"[\"\\`$]", r"\\\g<0>", part) for part in parts[::2])
    return '"' + "".join(text for pair in zip_longest(plain, parts[1::2], fillvalue="") for text in pair) + '"'


def _filled(text: str, names: Mapping[str, str]) -> str:
    return Template(text).safe_substitute(names)


def _masked(name: str, value: str) -> str:
    """Secrets by their key's name are masked; a name that is still to be filled in gives nothing away."""
    return value if not _SECRET.search(name) or "$" in value else "***"


def _deep(raw: Any, names: Mapping[str, str], key: str = "") -> Any:
    if isinstance(raw, dict):
        return {name: _deep(value, names, str(name)) for name, value in raw.items()}
    if isinstance(raw, list | tuple):
        return [_deep(value, names, key) for value in raw]
    return _masked(key, _filled(raw, names)) if isinstance(raw, str) else raw
