"""The calibration's rows for readers: a line a run, and the table of all of them in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripts.comparing import Row

BEGIN, END = "<!-- calibrate -->", "<!-- /calibrate -->"
HEAD = ("target", "expected", "got", "first finding", "kills", "exposures", "takes")


def lines(row: Row) -> Iterator[str]:
    """How one run went, and what was wrong with it."""
    mark = "✗" if row.wrong else "✓"
    first = f", first after {row.first_s:.1f} s" if row.first_s >= 0 else ""
    yield f"{mark} {row.target} seed {row.seed}: {row.got}{first}, {row.kills} kills, {row.took_s:.0f} s  {row.run}"
    yield from (f"    {why}" for why in row.wrong)


def markdown(rows: Sequence[Row], took_s: float) -> str:
    """One row a target over all its seeds, the worst of each figure; a summary in words before it."""
    targets: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.defect, row.target, row.seed)):
        targets.setdefault(row.target, []).append(row)
    table = [HEAD, ("---",) * len(HEAD), *(_cells(group) for group in targets.values())]
    return "\n".join([_summary(rows, took_s), "", *(f"| {' | '.join(cells)} |" for cells in table)])


def replaced(text: str, table: str) -> str:
    """The text with the table between its markers. ValueError where it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there is no place for the table: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _summary(rows: Sequence[Row], took_s: float) -> str:
    defects, sound = [row for row in rows if row.defect], [row for row in rows if not row.defect]
    caught, calm = sum(not row.wrong for row in defects), sum(not row.wrong for row in sound)
    seeds = len({row.seed for row in rows})
    said = [
        f"{caught} of {len(defects)} runs of a defect ended in the right finding with the right cause",
        f"{calm} of {len(sound)} runs of a sound service in PASS",
        f"{seeds} seed{'s' if seeds != 1 else ''}, {took_s / 60:.0f} minutes",
    ]
    unkilled = [row.first_s for row in defects if row.first_s >= 0 and not row.kills]
    if unkilled:
        said.append(f"without a kill the first finding came after {max(unkilled):.1f} s at the latest")
    return "; ".join(said) + "."


def _cells(group: Sequence[Row]) -> tuple[str, ...]:
    good = sum(not row.wrong for row in group)
    got = next((row.got for row in group if row.wrong), group[-1].got)
    first = max(row.first_s for row in group)
    return (
        group[0].target,
        group[0].expected,
        f"{got}, {good} of {len(group)}",
        f"{first:.1f} s" if first >= 0 else "",
        str(max(row.kills for row in group)),
        str(min(row.exposures for row in group)),
        f"{max(row.took_s for row in group):.0f} s",
    )
