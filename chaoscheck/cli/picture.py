"""The live view at a moment: as many lines as the terminal has room for, each of them at its place from the start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from chaoscheck.cli.progress import Progress, Slot
from chaoscheck.cli.strips import DEAD, FULL, LOOKS, SERVING, STARTING, Axis, errors, lane, latencies, rates
from chaoscheck.cli.words import color_of, told
from chaoscheck.model.clock import NS
from chaoscheck.reporting.text import one_line
from chaoscheck.reporting.units import count, millis, percent, plural

LABEL = 10
SIDE = 17
"""Columns at both sides of the strips: names, and numbers of the moment."""

NARROW, LOW = 60, 17
"""Below that many columns or lines there is room for the essence only."""

HAPPENINGS, MOST_HAPPENINGS = 3, 20
BAR_HEAD, WIDEST_BAR = 33, 60
"""Columns of a name and its numbers before a bar, and the bar's own at most."""

RAIL = (
    ("prepare", "prepare"),
    ("controls", "controls"),
    ("matrix", "matrix"),
    ("baseline", "baseline"),
    ("chaos", "chaos"),
    ("settle", "settle"),
    ("final reads", "reads"),
    ("clean up", "clean"),
)
_DOING = {
    "prepare": "stores, instances and balancer start",
    "controls": "each check must be able to fail, and to hold",
    "matrix": "written on i, read on j, for every pair",
    "baseline": "users, and nobody dies",
    "settle": "no more strikes: what is late may land",
    "final reads": "every object through every instance",
    "clean up": "what was made is removed",
}
_SIGNS = {"serving": "■", "starting": "□", "ready": "□"}


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a picture goes: `width` columns, and how many lines each part that can be folded gets."""

    width: int
    lanes: int
    promises: int
    happenings: int
    gaps: int


def picture(progress: Progress, elapsed_s: float, width: int, height: int) -> list[Text]:
    """Lines of at most `width` columns, at most `height` of them; their number changes only with the plan's."""
    lines = (
        _essence(progress, elapsed_s)
        if width < NARROW or height < LOW
        else _whole(progress, elapsed_s, _frame(progress, width, height))
    )
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis")
    return lines[:height]


def _frame(progress: Progress, width: int, height: int) -> Frame:
    slots, promises = max(_slots(progress), 1), max(len(_promises(progress)), 1)
    fixed = 3 + 1 + 3 + 3 + (progress.aim.allowed_s >= 0)
    room = height - fixed - 2
    fair = min(promises, max(3, room - slots, room // 2))
    lanes = min(slots, room - fair)
    rest = room + 2 - lanes - fair
    gaps = min(max(rest - HAPPENINGS, 0), 3)
    return Frame(width, lanes, fair, min(rest - gaps, MOST_HAPPENINGS), gaps)


def _whole(progress: Progress, elapsed_s: float, frame: Frame) -> list[Text]:
    axis = Axis(max(frame.width - LABEL - SIDE, 1), elapsed_s)
    traffic = axis.seen(progress.traffic)
    gap = [[Text("")] if frame.gaps > number else [] for number in range(3)]
    return [
        _row("run", _title(progress)),
        _row("phase", _rail(progress)),
        _row("", _now(progress, elapsed_s, frame.width - LABEL)),
        *gap[0],
        _heading(axis),
        *_lanes(progress, axis, frame.lanes),
        _row("requests", rates(traffic, axis), f"{progress.rate:.0f}/s"),
        _row("errors", errors(traffic, axis), _bad(progress)),
        _row("latency", latencies(traffic, axis), f"p95 {millis(progress.p95_ms)}"),
        *gap[2],
        _row("sessions", _sessions(progress)),
        *([_budget(progress, frame.width)] if progress.aim.allowed_s >= 0 else []),
        *_evidence(progress, frame),
        _row("checks", _checks(progress)),
        _row("broken", _broken(progress)),
        *gap[1],
        *_happenings(progress, frame.happenings),
    ]


def _row(name: str, text: Text, side: str = "") -> Text:
    return Text.assemble((_fit(name, LABEL), "dim"), text, f"  {side}" if side else "")


def _title(progress: Progress) -> Text:
    run = progress.started
    if run is None:
        return Text("starting")
    what = f"{plural(run.instances, 'instance')} on {run.engine} behind {run.balancer}, seed {run.seed}"
    return Text.assemble((one_line(run.plan), "bold"), "  ", (one_line(what), "dim"))


def _rail(progress: Progress) -> Text:
    """All phases, with the present one in brackets: so it is read without colour as well."""
    names = [phase for phase, _ in RAIL]
    here = names.index(progress.phase) if progress.phase in names else -1
    rail = Text(" ").join(
        Text(f"[{short}]", style="bold") if number == here else Text(short, style="dim" if number > here else "green")
        for number, (_, short) in enumerate(RAIL)
    )
    return rail if here >= 0 else Text.assemble((f"[{one_line(progress.phase)}] ", "bold"), rail)


def _now(progress: Progress, elapsed_s: float, width: int) -> Text:
    left = progress.left_s(elapsed_s)
    clock = minutes(elapsed_s) + (f", about {minutes(left)} to go" if left >= 1 else "")
    doing = _DOING.get(progress.phase, "")
    if progress.phase == "chaos" and progress.strike is not None:
        of = f" of {progress.aim.strikes}" if progress.struck <= progress.aim.strikes else ""
        doing = f"strike {progress.struck}{of}: {one_line(progress.strike.mode)} at {one_line(progress.strike.victim)}"
    return Text.assemble(_fit(doing, max(width - len(clock) - 2, 0)), "  ", (clock, "bold"))


def _heading(axis: Axis) -> Text:
    title = f"last {axis.seconds:.0f} s"
    strikes, lines = "B burst  I in-flight  P plain  s sham", f"{SERVING} serving  {STARTING} starting  {DEAD} dead"
    keys = (f"{lines}   {strikes}", strikes, "B I P kill, s sham", "")
    key = next(key for key in keys if len(title) + 2 + len(key) <= axis.cells or not key)
    text = title + key.rjust(max(axis.cells - len(title), 0))
    return Text.assemble((_fit("instance", LABEL) + text + "  state    kills", "dim"))


def _lanes(progress: Progress, axis: Axis, room: int) -> list[Text]:
    """A line a slot; where there are more slots than lines, one line for all and lanes of those struck last."""
    total = _slots(progress)
    if total > room:
        shown = _struck_last(progress, room - 1)
        return [_all_slots(progress, total), *(_lane(slot, axis) for slot in shown), *_blank(room - 1 - len(shown))]
    lanes = [_lane(slot, axis) for _, slot in sorted(progress.slots.items())]
    return [*lanes, *_blank(room - len(lanes))]


def _lane(slot: Slot, axis: Axis) -> Text:
    _, style = LOOKS.get(slot.state, ("", "magenta"))
    name = (_fit(one_line(slot.instance), LABEL), "")
    return Text.assemble(name, lane(slot, axis), "  ", (_fit(slot.state, 10), style), f"{slot.kills or '':>4}")


def _all_slots(progress: Progress, total: int) -> Text:
    slots = [slot for _, slot in sorted(progress.slots.items())]
    signs = [(_SIGNS.get(slot.state, "x"), LOOKS.get(slot.state, ("", "magenta"))[1]) for slot in slots]
    serving = sum(slot.state == "serving" for slot in slots)
    words = f"  {serving} of {total} serve, {plural(progress.kills, 'kill')}; below: struck last"
    return Text.assemble((_fit(f"all {total}", LABEL), "dim"), *signs, words)


def _struck_last(progress: Progress, room: int) -> list[Slot]:
    """As many slots as there is room for; a newly struck one takes the place of the one whose strike is longest ago,
    so that only its line changes."""
    shown = sorted(progress.slots)[:room]
    latest = {number: slot.marks[-1][0] if slot.marks else -1 for number, slot in progress.slots.items()}
    marks = sorted((at_ns, number) for number, slot in progress.slots.items() for at_ns, _ in slot.marks)
    since = dict.fromkeys(latest, -1)
    for at_ns, number in marks:
        if shown and number not in shown:
            oldest = min(shown, key=lambda one: since[one])
            shown[shown.index(oldest)] = number
        since[number] = at_ns
    return [progress.slots[number] for number in shown]


def _bad(progress: Progress) -> str:
    share = f" {percent(progress.bad / progress.requests)}" if progress.bad and progress.requests else ""
    return f"{count(progress.bad)} bad{share}"


def _sessions(progress: Progress) -> Text:
    broken = len(progress.broken_sessions)
    parts = [(f"{count(progress.sessions)} alive", ""), (", ", ""), (f"{count(broken)} broken", _alarm(broken))]
    return Text.assemble(*parts, (f"    {plural(progress.requests, 'request')}, p50 {millis(progress.p50_ms)}", "dim"))


def _budget(progress: Progress, width: int) -> Text:
    """Mean bad seconds a kill, which is what the gate judges, by the ticks of the run so far."""
    allowed, costs = progress.aim.allowed_s, [max(cost, 0.0) for cost in progress.costs]
    mean = sum(costs) / len(costs) if costs else 0.0
    style = "green" if mean <= allowed else "red"
    worst = f"worst {max(costs):.2f} s" if costs else "no kill yet"
    numbers = f"{mean:.2f} of {allowed:.2f}"
    return _bar_row("budget", "bad s a kill", numbers, mean / allowed if allowed else 1.0, style, worst, width)


def _evidence(progress: Progress, frame: Frame) -> list[Text]:
    promises = _promises(progress)
    room = frame.promises
    if len(promises) > room:
        behind = sorted(promises, key=lambda name: -_lacking(progress, name))[: max(room - 1, 1)]
        kept = [name for name in promises if name in behind]
        enough = sum(_lacking(progress, name) <= 0 for name in promises)
        words = f"and {len(promises) - len(kept)} that lack less; {enough} of all {len(promises)} have enough"
        return [*_evidence_rows(progress, kept, frame.width), _row("", Text(words, style="dim"))][:room]
    return _evidence_rows(progress, promises, frame.width) or [_row("evidence", Text("none yet", style="dim"))]


def _evidence_rows(progress: Progress, promises: Sequence[str], width: int) -> list[Text]:
    rows = []
    for index, promise in enumerate(promises):
        have, need = progress.exposures.get(promise, 0), progress.aim.need(promise)
        left = progress.left_of_evidence_s(promise)
        pace = "enough" if need and have >= need else f"{minutes(max(left, 1))} to go" if left >= 0 else ""
        numbers = f"{count(have)} of {count(need)}" if need else f"{count(have)}"
        style = "green" if have >= need else "yellow"
        label = "" if index else "evidence"
        rows.append(_bar_row(label, promise, numbers, have / need if need else -1, style, pace, width))
    return rows


def _bar_row(label: str, name: str, numbers: str, share: float, style: str, side: str, width: int) -> Text:
    cells = min(max(width - LABEL - BAR_HEAD - SIDE, 4), WIDEST_BAR)
    filled = min(int(share * cells), cells) if share >= 0 else 0
    bar = [(FULL * filled, style), (DEAD * (cells - filled) if share >= 0 else " " * cells, "dim")]
    return Text.assemble(
        (_fit(label, LABEL), "dim"), _fit(one_line(name), 18), f" {numbers:>12}  ", *bar, (f"  {side}", "dim")
    )


def _checks(progress: Progress) -> Text:
    good, all_ = sum(progress.controls), len(progress.controls)
    parts: list[tuple[str, str]] = []
    if all_:
        parts.append((f"controls {good} of {all_} as they must", _alarm(all_ - good)))
    if progress.pairs:
        holds, tried = progress.pairs[True], sum(progress.pairs.values())
        bad = progress.pairs[False]
        parts.append((f"    matrix {holds} of {tried} hold" + (f", {bad} broken" if bad else ""), _alarm(bad)))
    return Text.assemble(*(parts or [("none yet", "dim")]))


def _broken(progress: Progress) -> Text:
    if not progress.broken:
        return Text("nothing so far", style="dim")
    kinds = (f"{one_line(name, 40)} x{count(number)}" for name, number in progress.broken.most_common())
    return Text(", ".join(kinds), style="bold red")


def _happenings(progress: Progress, room: int) -> list[Text]:
    """The newest last; a strike's line grows where it stands."""
    last = list(progress.happened)[-room:] if room > 0 else []
    lines = [
        Text.assemble((_fit(minutes(each.t_ns / NS), LABEL), "dim"), (one_line(told(each)), color_of(each)))
        for each in last
    ]
    return [*lines, *_blank(room - len(lines))]


def _essence(progress: Progress, elapsed_s: float) -> list[Text]:
    """Seven lines without strips, for a terminal that is small."""
    serving = sum(slot.state == "serving" for slot in progress.slots.values())
    least = min(_promises(progress), key=lambda name: -_lacking(progress, name), default="")
    need = progress.aim.need(least)
    evidence = f"{progress.exposures.get(least, 0)} of {need} ({one_line(least)})" if need else "none yet"
    left = progress.left_s(elapsed_s)
    clock = f"  {minutes(elapsed_s)}" + (f", {minutes(left)} to go" if left >= 1 else "")
    return [
        _row("run", _title(progress)),
        _row("phase", Text(one_line(progress.phase), style="bold") + Text(clock)),
        _row("serving", Text(f"{serving} of {_slots(progress)}, {plural(progress.kills, 'kill')}")),
        _row("traffic", Text(f"{progress.rate:.0f}/s, {_bad(progress)}")),
        _row("evidence", Text(evidence)),
        _row("broken", _broken(progress)),
        *_happenings(progress, 1),
    ]


def _slots(progress: Progress) -> int:
    told_ = progress.started.instances if progress.started else 0
    return max(len(progress.slots), progress.aim.instances, told_)


def _promises(progress: Progress) -> list[str]:
    return list(dict.fromkeys([*progress.aim.promises, *progress.exposures]))


def _lacking(progress: Progress, promise: str) -> int:
    return progress.aim.need(promise) - progress.exposures.get(promise, 0)


def _blank(lines: int) -> list[Text]:
    return [Text("") for _ in range(lines)]


def _alarm(number: int) -> str:
    return "bold red" if number else ""


def _fit(text: str, size: int) -> str:
    """`text` in exactly `size` columns, with an ellipsis and a free column where it is longer."""
    if cell_len(text) < size or size < 2:
        return set_cell_size(text, size)
    return set_cell_size(set_cell_size(text, size - 2) + "…", size)


def minutes(seconds: float) -> str:
    whole = math.floor(max(seconds, 0))
    return f"{whole // 60}:{whole % 60:02d}"
