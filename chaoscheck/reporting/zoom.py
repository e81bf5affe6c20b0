"""What the page's script needs to draw the strips anew at any zoom: the series' columns, and the lanes' measure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from chaoscheck.model.series import Series
from chaoscheck.reporting.figure import LEFT, RIGHT, WIDTH
from chaoscheck.reporting.lanes import Lanes
from chaoscheck.reporting.strips import BAD, ceiling, strips

Column = list[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoom:
    """Seconds of the run; a column has a value a bin, None where nothing was measured; `bad` in the order of drawing,
    or why there is none in `quiet`."""

    start: float
    end: float
    left: float
    right: float
    width: float
    at: list[float]
    step: float
    users: list[int]
    all: list[int]
    peak: float
    bad: dict[str, list[int]]
    quiet: str
    p50: Column
    p95: Column
    p99: Column

    def data(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


def zoom(series: Series | None, drawn: Lanes) -> Zoom:
    """The columns of that series, from the lanes' start to their end; none without a series."""
    seen = series or Series(start_ns=drawn.start_ns, width_ns=1, bad={}, lanes={})
    return Zoom(
        start=drawn.start_ns / 1e9,
        end=drawn.end_ns / 1e9,
        left=LEFT,
        right=WIDTH - RIGHT,
        width=WIDTH,
        at=[round(seen.start_of(index) / 1e9, 4) for index in range(len(seen.users))],
        step=seen.seconds,
        users=list(seen.users),
        all=[one + other for one, other in zip(seen.users, seen.others, strict=True)],
        peak=ceiling(seen),
        bad={name.value: list(seen.bad[name]) for name in reversed(BAD) if name in seen.bad},
        quiet=strips(series, drawn).strips[1].empty,
        p50=_column(seen.p50_ms),
        p95=_column(seen.p95_ms),
        p99=_column(seen.p99_ms),
    )


def _column(values: Iterable[float]) -> Column:
    return [None if math.isnan(value) else float(f"{value:.3g}") for value in values]
