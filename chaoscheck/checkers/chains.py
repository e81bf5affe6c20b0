"""The shortest chain of requests that shows a finding, as curl lines."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from string import Template
from typing import Any

from chaoscheck.checkers.causes import Explained
from chaoscheck.checkers.timeline import Timeline
from chaoscheck.model.events import InstanceStarted, MatrixProbed
from chaoscheck.model.history import RawRow, SessionBorn, SessionEnded
from chaoscheck.model.ops import Lane, Op, Outcome
from chaoscheck.model.verdict import ChainLink
from chaoscheck.plan.plan import Plan
from chaoscheck.plan.steps import Step
from chaoscheck.steps.render import default_auth

ENTRY = "$ENTRY"
"""Stands for the balancer's address, which was only known while the run went on."""
MOST = 12
EXCERPT = 90
"""Characters of an answer that a chain shows."""
_SECRET = re.compile(r"pass|secret|token|authorization|api.?key|csrf", re.IGNORECASE)


@dataclass(slots=True)
class Wanted:
    """One finding's representative: the operations that its chain is made of, as the history is read again."""

    explained: Explained
    user: str = ""
    login: Op | None = None
    prepared: list[Op] = field(default_factory=list)
    write: Op | None = None
    reads: list[Op] = field(default_factory=list)

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
        if op.action == "do" and op.sent_ns <= read.sent_ns:
            self._write(op)
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
        elif op.promise == self.cell.promise and op.obj == self.cell.obj and op.judged:
            self.ops.append(op)


def pair_chain(pair: Pair, plan: Plan, known: Timeline) -> tuple[ChainLink, ...]:
    """Login and write on one instance, the read that missed it, and what both said a little later."""
    curl = _Curl(plan, known, pair.user)
    writes = [op for op in pair.ops if op.action == "do" and op.outcome == Outcome.OK]
    first = [op for op in pair.ops if op.action == "see" and op.lane == Lane.MATRIX.value and op.outcome != Outcome.OK]
    later = {op.via: op for op in pair.ops if op.lane == Lane.CONFIRM.value}
    links = [curl.link(pair.login, f"logged in on {_who(pair.login)}")] if pair.login is not None else []
    links += [curl.link(op, f"acknowledged by {_who(op)}") for op in writes[-1:]]
    links += [curl.link(op, f"{op.outcome} on {_who(op)}") for op in first[:1]]
    links += [
        curl.link(op, f"later: {'there' if op.outcome == Outcome.OK else op.outcome} on {_who(op)}")
        for op in later.values()
    ]
    return tuple(sorted(links, key=lambda link: link.at_ns))


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
        links.append(curl.link(one.write, f"acknowledged by {_who(one.write)}"))
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
    links += [curl.link(op, _said(op, one)) for op in _telling(one)]
    return tuple(sorted(links, key=lambda link: link.at_ns))[:MOST]


def _telling(one: Wanted) -> list[Op]:
    """The contradicting read and the last word of each instance."""
    read = one.explained.anomaly.read
    last = {op.via: op for op in one.reads if op.rid != read.rid}
    first = [op for op in one.reads if op.rid == read.rid] or [read]
    return first + sorted(last.values(), key=lambda op: op.done_ns)


def _said(op: Op, one: Wanted) -> str:
    anomaly = one.explained.anomaly
    if op.outcome == Outcome.GONE:
        return f"gone: {op.excerpt[:EXCERPT]}" if op.excerpt else "gone"
    if op.outcome == Outcome.OK and (not anomaly.guarantee or not op.seen or op.seen in (anomaly.value, one.user)):
        return "there"
    return f"shows {op.seen!r} instead of {anomaly.value!r}" if op.seen else op.outcome


def _who(op: Op) -> str:
    return op.incarnation or (op.via if op.via != "lb" else "an unknown instance")


class _Curl:
    """Renders one session's requests; tokens stay names, secrets are masked."""

    def __init__(self, plan: Plan, known: Timeline, user: str) -> None:
        self._plan = plan
        self._user = user
        self._addresses = {event.instance: event.address for event in known.of(InstanceStarted)}
        public = plan.target.public_url
        self._host = public.partition("//")[2] if public else ""

    def link(self, op: Op, note: str) -> ChainLink:
        return ChainLink(
            at_ns=op.sent_ns, curl=self.line(op), instance=_who(op), status=op.status, outcome=op.outcome, note=note
        )

    def line(self, op: Op) -> str:
        promise = self._plan.promises[op.promise]
        steps = promise.action(op.action)
        step = steps[-1] if op.judged or len(steps) == 1 else steps[0]
        guest = step.as_ == "guest" or promise.as_ == "guest"
        names = {"user": self._user, "password": "***", "value": op.value}
        method = (
            "GET"
            if step.method == "submit" and not op.judged
            else "POST"
            if step.method == "submit"
            else step.method.upper()
        )
        words = ["curl", "-si"] + (["-X", method] if method != "GET" else [])
        words += [] if guest else ["-b", "jar", "-c", "jar"]
        if self._host:
            words += ["-H", f"Host: {self._host}"]
        for name, value in self._headers(step, guest).items():
            words += ["-H", f"{name}: {_masked(name, _filled(value, names))}"]
        auth = step.auth or (None if guest else default_auth(promise, op.action, self._plan.target.auth))
        if auth is not None:
            user, _, password = auth.partition(":")
            words += ["-u", f"{_filled(user, names)}:{_masked('password', password)}"]
        if method != "GET":
            words += self._body(step, names)
        words.append(f"http://{self._where(op.via)}{_filled(step.path, names)}")
        typed = " ".join(f'"{word}"' if word.startswith("http://$") else shlex.quote(word) for word in words)
        return f"{typed}  # with the form's hidden fields" if step.method == "submit" and op.judged else typed

    def _headers(self, step: Step, guest: bool) -> Mapping[str, str]:
        login = self._plan.login
        shared = self._plan.promises[login].see[-1].headers if login and not guest else {}
        return {**self._plan.target.headers, **shared, **step.headers}

    def _body(self, step: Step, names: Mapping[str, str]) -> list[str]:
        if step.json_ is not None:
            text = json.dumps(_deep(step.json_, names), ensure_ascii=False)
            return ["-H", "Content-Type: application/json", "-d", text]
        if step.form is not None:
            pairs = [f"{key}={_masked(key, _filled(value, names))}" for key, value in step.form.items()]
            return [word for pair in pairs for word in ("--data-urlencode", pair)]
        return ["--data-binary", _filled(step.body, names)] if step.body is not None else []

    def _where(self, via: str) -> str:
        return ENTRY if via == "lb" else self._addresses.get(via, via)


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
