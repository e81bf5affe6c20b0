"""What users' answers tell of the balancer: does it keep a session on one instance, and is the load even?

The yardstick is even routing: each request goes to any of the instances that serve at that time with the same chance;
for steps within sessions each goes by chance as well, but with the shares that the instances had, since a balancer that
prefers one instance doesn't pin by that.
Who serves changes with each death and each replacement, so time is cut there. In each stretch the answers (under
pinning the sessions that begin, as a pinned session's answers are no independent draws) get a chi-square of their own;
these add up, degrees of freedom too. The first moments of a stretch are left out of it: the balancer learns late.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from chaoscheck.checkers.evidence import chi_square_tail
from chaoscheck.checkers.timeline import Timeline, slot_of
from chaoscheck.model.clock import NS
from chaoscheck.model.events import InstanceReady
from chaoscheck.model.ops import Lane, Op
from chaoscheck.model.verdict import Affinity, Load, Routing
from chaoscheck.plan.plan import Plan
from chaoscheck.steps.base import EVENTS, WEBSOCKET

LEARNING_NS = NS // 2
"""How long a balancer may take to notice who left or came."""
BY_CHANCE = 0.05
"""A session is judged when even routing would leave it on one instance no more often than this."""
FEWEST = 5.0
"""Below this expectation in a cell a chi-square isn't one."""
PINNED = 0.9
PARTLY, CLEARLY = 0.2, 4.0
"""Partly pinned: so much of the way from chance to always staying, and so many standard deviations."""
UNEVEN_P, UNEVEN_BY = 0.01, 1.1
FEWEST_SESSIONS = 10
"""Fewer don't show what a balancer does."""
_USER, _BALANCER = Lane.USER.value, "lb"
_STREAM, _GUEST = "stream", "guest"


class _Stretch:
    """From one change of who serves to the next: answers and births from `from_ns` on, and steps by where from."""

    __slots__ = ("answers", "began_ns", "ended_ns", "from_ns", "homes", "log_even", "serving", "steps")

    def __init__(self, began_ns: int, ended_ns: int, serving: frozenset[str]) -> None:
        self.began_ns = began_ns
        self.ended_ns = ended_ns
        self.from_ns = began_ns + LEARNING_NS
        self.serving = serving
        self.log_even = math.log(len(serving)) if serving else 0.0
        self.answers: dict[str, int] = {}
        self.homes: Counter[str] = Counter()
        self.steps: dict[str, int] = {}

    def chances(self) -> Iterator[tuple[int, float]]:
        """Steps, and the chance that one of them stays; where too little is known of shares, they count as equal."""
        answers = sum(self.answers.values())
        for who, steps in self.steps.items():
            share = (
                self.answers.get(who, 0) / answers if answers >= FEWEST * len(self.serving) else 1 / len(self.serving)
            )
            yield steps, share


class _Path:
    """One session so far: who answered last, and how often it stayed when it could have gone."""

    __slots__ = ("last", "log_even", "stayed", "steps")

    def __init__(self, last: str) -> None:
        self.last = last
        self.steps = self.stayed = 0
        self.log_even = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stay:
    """Sessions judged and pinned, steps of all sessions and stays, and what chance would make of them."""

    sessions: int
    pinned: int
    pinned_even: float
    steps: int
    stayed: int
    by_chance: float
    spread: float

    @property
    def affinity(self) -> Affinity:
        if self.sessions < FEWEST_SESSIONS:
            return Affinity.UNKNOWN
        over = self.stayed - self.by_chance
        if over < PARTLY * (self.steps - self.by_chance) or over <= CLEARLY * self.spread:
            return Affinity.SPREAD
        return Affinity.PINNED if self.pinned >= PINNED * self.sessions else Affinity.PARTLY


class RoutingFold:
    """Users' answers through the balancer, one after the other; memory grows with sessions and with deaths."""

    def __init__(self, plan: Plan, known: Timeline) -> None:
        self._stretches = list(_stretches(known))
        self._begins = [stretch.began_ns for stretch in self._stretches]
        self._now = self._stretches[0]
        self._paths: dict[str, _Path] = {}
        self._apart = dict(_apart(plan))
        self._unsteady: dict[str, int] = {}
        self._born: Counter[str] = Counter()

    def add(self, op: Op) -> None:
        """An attempt of any lane; those of users that the balancer took to somebody known count."""
        _, session, promise, action, _, _, _, _, lane, via, _, _, sent_ns, _, _, status, _, who, _, _ = op
        if lane != _USER or via != _BALANCER or not who or not status:
            return
        apart = self._apart.get((promise, action)) if self._apart else None
        if apart is _STREAM:
            return
        now = self._now
        if not now.began_ns <= sent_ns < now.ended_ns:
            now = self._now = self._stretches[bisect_right(self._begins, sent_ns) - 1]
        steady = sent_ns >= now.from_ns and who in now.serving
        counts = now.answers if steady else self._unsteady
        counts[who] = counts.get(who, 0) + 1
        if apart is not _GUEST:
            self._step(now, session, who, steady)

    def _step(self, now: _Stretch, session: str, who: str, steady: bool) -> None:
        path = self._paths.get(session)
        if path is None:
            self._paths[session] = _Path(who)
            self._born[who] += 1
            if steady:
                now.homes[who] += 1
            return
        last = path.last
        if last in now.serving and now.log_even:
            path.steps += 1
            path.log_even += now.log_even
            now.steps[last] = now.steps.get(last, 0) + 1
            if last == who:
                path.stayed += 1
                return
        path.last = who

    def routing(self) -> Routing:
        """What it comes to."""
        stay = self._stay()
        affinity = stay.affinity
        answers = Counter(self._unsteady)
        for stretch in self._stretches:
            answers.update(stretch.answers)
        if affinity is not Affinity.UNKNOWN and len({slot_of(who) for who in answers}) == 1:
            affinity = Affinity.SINGLE
        told = affinity is not Affinity.UNKNOWN
        by_sessions = affinity in (Affinity.PINNED, Affinity.PARTLY)
        counts = [(one.serving, Counter(one.homes if by_sessions else one.answers)) for one in self._stretches if told]
        # Whether answers depend on each other is not known where pinning isn't.
        unit = "" if not told else "sessions" if by_sessions else "answers"
        chi2, freedom = _chi_square(counts)
        loads = self._loads(answers, counts)
        p = chi_square_tail(chi2, freedom) if freedom else -1.0
        return Routing(
            affinity=affinity,
            sessions=stay.sessions,
            pinned=_share(stay.pinned, stay.sessions),
            pinned_even=_share(stay.pinned_even, stay.sessions),
            steps=stay.steps,
            stayed=_share(stay.stayed, stay.steps),
            stayed_by_chance=_share(stay.by_chance, stay.steps),
            unit=unit,
            chi2=round(chi2, 3),
            freedom=freedom,
            p=round(p, 6),
            loads=loads,
            words=_words(affinity, stay, loads, p, unit),
        )

    def _stay(self) -> _Stay:
        # In whole numbers and one exact sum, so that the order in which files were read can't show.
        judged = [path for path in self._paths.values() if path.steps and math.exp(-path.log_even) <= BY_CHANCE]
        chances = sorted(pair for stretch in self._stretches for pair in stretch.chances())
        return _Stay(
            sessions=len(judged),
            pinned=sum(path.stayed == path.steps for path in judged),
            pinned_even=math.fsum(math.exp(-path.log_even) for path in judged),
            steps=sum(steps for steps, _ in chances),
            stayed=sum(path.stayed for path in self._paths.values()),
            by_chance=math.fsum(steps * share for steps, share in chances),
            spread=math.sqrt(math.fsum(steps * share * (1 - share) for steps, share in chances)),
        )

    def _loads(self, answers: Counter[str], counts: list[tuple[frozenset[str], Counter[str]]]) -> tuple[Load, ...]:
        got: Counter[str] = Counter()
        fair: dict[str, float] = {}
        for serving, count in counts:
            got.update(count)
            for who in serving:
                fair[who] = fair.get(who, 0.0) + count.total() / len(serving)
        return tuple(
            Load(
                instance=who,
                answers=answers[who],
                sessions=self._born[who],
                got=got[who],
                fair=round(fair.get(who, 0.0), 3),
            )
            for who in sorted({*answers, *(who for who, share in fair.items() if share)})
        )


def _stretches(known: Timeline) -> Iterator[_Stretch]:
    """All time, cut where somebody began or ended to serve."""
    changes = [(event.t_ns, event.instance, True) for event in known.of(InstanceReady) if event.joined]
    changes += [(death.death_ns, death.incarnation, False) for death in known.deaths if death.death_ns >= 0]
    serving: frozenset[str] = frozenset()
    began_ns = -1
    for at_ns, who, comes in sorted(changes):
        if at_ns > began_ns:
            yield _Stretch(began_ns, at_ns, serving)
            began_ns = at_ns
        serving = serving | {who} if comes else serving - {who}
    yield _Stretch(began_ns, 1 << 62, serving)


def _apart(plan: Plan) -> Iterator[tuple[tuple[str, str], str]]:
    """What guests ask has no session that a cookie could hold; on a stream the balancer chooses once."""
    for name, promise in plan.promises.items():
        for action, steps in promise.actions.items():
            if any(step.method in (WEBSOCKET, EVENTS) for step in steps):
                yield (name, action), _STREAM
            elif promise.as_ == "guest" or any(step.as_ == "guest" for step in steps):
                yield (name, action), _GUEST


def _chi_square(counts: list[tuple[frozenset[str], Counter[str]]]) -> tuple[float, int]:
    """The sum over stretches with enough in each cell, and its degrees of freedom."""
    parts, freedom = [], 0
    for serving, count in counts:
        fair = count.total() / len(serving) if serving else 0.0
        if len(serving) > 1 and fair >= FEWEST:
            parts += [(count[who] - fair) ** 2 / fair for who in serving]
            freedom += len(serving) - 1
    return math.fsum(parts), freedom


def _words(affinity: Affinity, stay: _Stay, loads: tuple[Load, ...], p: float, unit: str) -> str:
    places = len({slot_of(load.instance) for load in loads})
    if affinity is Affinity.UNKNOWN:
        return "not told: " + (
            f"{stay.sessions or 'no'} session{'' if stay.sessions == 1 else 's'} had answers enough while several "
            f"instances served, of {FEWEST_SESSIONS} that it takes"
            if loads
            else "no user's answer came through a balancer that names the instance"
        )
    if affinity is Affinity.SINGLE:
        only = max(loads, key=lambda load: load.answers).instance
        return f"one instance answers everything ({only}), though others serve"
    even = _evenness(loads, p)
    if affinity is Affinity.SPREAD:
        return f"spread over {places} instances, {even}"
    held = (
        f"sessions are pinned ({_percent(stay.pinned, stay.sessions)} stay on one instance)"
        if affinity is Affinity.PINNED
        else f"sessions are partly pinned (they stay in {_percent(stay.stayed, stay.steps)} of steps; "
        f"by chance, in {_percent(stay.by_chance, stay.steps)})"
    )
    return f"{held}; {unit} begin on {places} instances, {even}"


def _evenness(loads: tuple[Load, ...], p: float) -> str:
    if p < 0:
        return "too few to test evenness"
    told = f"p = {p:.2g}" if 0.001 <= p <= 0.99 else "p < 0.001" if p < 0.001 else "p > 0.99"
    if p >= UNEVEN_P:
        return f"even ({told})"
    far = max((load for load in loads if load.fair >= FEWEST), key=_distance)
    times = f"{far.instance} got {far.got / far.fair:.2f} times its share"
    return f"{'uneven' if _distance(far) >= math.log(UNEVEN_BY) else 'nearly even'} ({told}, {times})"


def _distance(load: Load) -> float:
    return abs(math.log(max(load.got, 0.5) / load.fair))


def _percent(part: float, whole: float) -> str:
    return "100 %" if part == whole else f"{min(100 * part / whole, 99.9):.3g} %"


def _share(part: float, whole: float) -> float:
    return round(part / whole, 6) if whole else -1.0


def routing_warnings(plan: Plan, routing: Routing | None) -> tuple[str, ...]:
    """What the load shows less of, where it isn't routed as the plan says."""
    if routing is None or plan.balancer.mode != "round-robin":
        return ()
    if routing.affinity not in (Affinity.PINNED, Affinity.SINGLE):
        return ()
    kept = "sessions are pinned" if routing.affinity is Affinity.PINNED else "one instance answers everything"
    return (
        f"the plan says round-robin, but {kept}: users under load reach another instance only after a kill, so the "
        "load says less of the others (the matrix dials each of them)",
    )
