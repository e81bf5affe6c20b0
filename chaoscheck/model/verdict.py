"""What a run means: verdicts, findings, gates and the result that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from chaoscheck.model.broken import Broken
from chaoscheck.model.series import Series


class Verdict(StrEnum):
    """Of a property or a run; the worst decides: FAIL > INVALID > INCONCLUSIVE > PASS."""

    PASS = "PASS"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
    FAIL = "FAIL"

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 inconclusive, 4 invalid; 2 is for usage."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 3, Verdict.INVALID: 4}[self]

    @property
    def rank(self) -> int:
        return list(Verdict).index(self)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of the whole; nothing checked is INCONCLUSIVE."""
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.INCONCLUSIVE)


class Cause(StrEnum):
    """Why a promise was broken, as far as the evidence goes."""

    ONE_INSTANCE = "state in one instance"
    LOST_WITH_INSTANCE = "lost with the instance"
    ACK_BEFORE_PERSIST = "acknowledged before persisted"
    MID_WRITE = "cut off in mid-write"
    LOCAL_DISK = "local disk"
    WORKER_PROCESS = "state in one worker process"
    COLLATERAL = "collateral"
    STORE = "store"
    BACKGROUND = "background"
    UNSETTLED = "not settled"
    LISTING = "dropped out of a list"
    CONTENT = "its own content"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLink:
    """One request of the chain that shows a finding."""

    at_ns: int
    curl: str
    instance: str
    status: int
    outcome: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A broken promise (or a doubt, when `verdict` isn't FAIL), with the evidence for it.

    `wording` is "because of" or "after"; `strike` is the blamed kill's index or -1; `healed_ms` is how long it lasted
    when it healed, else -1; `acked_before_death_ms` says how long before the death the lost write was acknowledged,
    or -1; `count` is how many objects show the same finding. `known` is the plan's reason where a `known` entry covers
    it: such a finding is shown and doesn't fail the run. `place` is "plan.yaml:12", where its promise stands.
    """

    promise: str
    kind: str
    anomaly: str
    verdict: Verdict
    critical: bool
    cause: Cause
    wording: str
    summary: str
    fix: str
    count: int
    session: str
    obj: str
    value: str
    seen: str
    phase: str
    at_ns: int
    strike: int
    victim: str
    healed_ms: float
    acked_before_death_ms: float
    chain: tuple[ChainLink, ...]
    known: str = ""
    place: str = ""

    @property
    def counts(self) -> bool:
        """Whether it decides anything: a known finding is only shown."""
        return not self.known


class Level(StrEnum):
    """What a gate's verdict does: it decides, it is only shown, or nobody looked."""

    ERROR = "error"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One property: what was expected, what was measured, how far apart, on how many samples.

    `group` is assumptions, promises, coverage, budget or recovery. `n` is -1 where counting makes no sense. `level`
    is "error", "warn" (its verdict is shown and doesn't count to the run's) or "off" (it was not judged at all).
    `place` is "plan.yaml:12", the promise or section that it judges; "" where it judges none. `known` is how many
    broken objects of a promise the plan knows of: with them, it passes only for what else could be seen.
    """

    group: str
    name: str
    verdict: Verdict
    expected: str
    actual: str
    margin: str
    n: int
    detail: str = ""
    level: Level = Level.ERROR
    place: str = ""
    known: int = 0

    @property
    def counts(self) -> bool:
        """Whether its verdict is part of the run's."""
        return self.level is Level.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseSummary:
    """What one promise's evidence amounts to. Bounds are upper limits of the share lost, at `confidence`.

    Of `violations`, `known` are those that the plan knows of: `verdict` is that of the rest.
    """

    promise: str
    kind: str
    verdict: Verdict
    exposures: int
    needed: int
    violations: int
    kills_exposed: int
    bound_exposure: float
    bound_kill: float
    confidence: float
    outcomes: dict[str, int]
    unrecognised: int
    final_reads: int
    final_reads_due: int
    suspicions_open: int
    known: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KillRow:
    """One strike as it went. Times of the run's clock in ns, -1 where not seen; sham strikes have no death."""

    index: int
    round: int
    slot: int
    mode: str
    victim: str
    replacement: str
    confirmed: bool
    decided_ns: int
    signal_ns: int
    death_ns: int
    refused_ns: int
    ready_ns: int
    in_flight: int
    in_flight_failed: int
    exposed: dict[str, int]
    lost: dict[str, int]
    bad_seconds: float
    requests: int
    recovery_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixCell:
    """Written on `writer`, read on `reader` (slots; equal means fresh connections to one instance).

    `holds` is None where nothing could be told; `anomaly` names what is wrong where it doesn't hold, with ", "
    between names.
    """

    promise: str
    writer: int
    reader: int
    holds: bool | None
    note: str
    anomaly: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRow:
    """User traffic in one phase: latency counts from the intended start, in ms."""

    phase: str
    began_ns: int
    ended_ns: int
    requests: int
    bad: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Affinity(StrEnum):
    """Where a session's next answer comes from, while its last instance lives and others serve."""

    PINNED = "pinned"
    PARTLY = "partly pinned"
    SPREAD = "spread"
    SINGLE = "one instance answers all"
    UNKNOWN = "not told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Users' answers that one incarnation gave, the sessions that began on it, and the share of what was tested.

    `got` of the test's unit came to it where even routing would have sent `fair` while it served.
    """

    instance: str
    answers: int
    sessions: int
    got: int
    fair: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What users' answers tell of the balancer: information, never a verdict.

    Of `sessions` judged a share `pinned` always stayed (`pinned_even`: routed evenly); of `steps` from one answer to
    the next a share `stayed` (`stayed_by_chance`: each sent anywhere, in the shares that instances had). `chi2` with
    `freedom` degrees gives `p`, that even routing looks so uneven; its `unit` is answers, or sessions where a session's
    answers depend on each other, "" where nothing is told. Shares and p are -1 then.
    """

    affinity: Affinity
    sessions: int
    pinned: float
    pinned_even: float
    steps: int
    stayed: float
    stayed_by_chance: float
    unit: str
    chi2: float
    freedom: int
    p: float
    loads: tuple[Load, ...]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All that a run showed; a pure function of plan, events and history, so it says nothing of when it was judged."""

    version: int
    chaoscheck: str
    run: str
    plan: str
    verdict: Verdict
    reason: str
    interrupted: bool
    seed: int
    engine: str
    balancer: str
    instances: int
    command: str
    started: str
    duration_s: float
    gates: tuple[Gate, ...]
    findings: tuple[Finding, ...]
    promises: tuple[PromiseSummary, ...]
    kills: tuple[KillRow, ...]
    matrix: tuple[MatrixCell, ...]
    phases: tuple[PhaseRow, ...]
    instances_share: dict[str, int]
    operations: int
    sessions: int
    warnings: tuple[str, ...]
    expected: str = ""
    because: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    routing: Routing | None = None
    series: Series | None = None
    broken: Broken = field(default_factory=Broken)

    @property
    def decisive(self) -> tuple[Finding, ...]:
        """The findings that count: not known, and not of a promise whose gate only warns. What makes the run INVALID
        always counts."""
        warned = {gate.name for gate in self.gates if gate.group == "promises" and not gate.counts}
        return tuple(
            one
            for one in self.findings
            if one.counts and (one.verdict is not Verdict.FAIL or one.promise not in warned)
        )
