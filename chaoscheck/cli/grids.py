"""The matrix on a terminal: grids side by side where they fit, and below each in words what its marks mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chaoscheck.cli.trimmed import Trimmed
from chaoscheck.model.verdict import MatrixCell
from chaoscheck.reporting.matrix import Grid, Said, grids
from chaoscheck.reporting.text import one_line
from chaoscheck.reporting.units import count

KEY = (
    "rows: written on; columns: read on; the diagonal: fresh connections to the same instance; "
    "· holds  ✗ fails  ? not told"
)
GAP = 4
EXAMPLE = 200


def matrix_view(cells: Sequence[MatrixCell], width: int, *, whole: bool = False) -> RenderableType | None:
    """Promises that hold in one line and the others as grids, in `width` columns; None without cells.

    `whole` draws those that hold as well, and says what a failing pair saw.
    """
    all_ = grids(cells)
    if not all_:
        return None
    drawn = [grid for grid in all_ if (whole or not grid.whole) and grid.drawn and _width(grid) <= width]
    told = [grid for grid in all_ if grid not in drawn and not grid.whole]
    held = [grid for grid in all_ if grid not in drawn and grid.whole]
    parts: list[RenderableType] = [_held(held, len(held) == len(all_))] if held else []
    parts += [_side_by_side(row) for row in _rows(drawn, width)]
    parts += [_title(grid) for grid in told]
    parts += [_words(grid, said, whole) for grid in (*drawn, *told) for said in grid.said]
    if drawn:
        parts.append(Text(KEY, style="dim"))
    return Group(*parts)


def print_matrix(console: Console, cells: Sequence[MatrixCell]) -> None:
    """All of it."""
    view = matrix_view(cells, console.width, whole=True)
    if view is not None:
        console.print(Trimmed(view), highlight=False)


def _held(held: Sequence[Grid], all_of_them: bool) -> Text:
    """One line for all that hold: together where their sizes are equal, as they nearly always are."""
    sizes = {grid.pairs for grid in held}
    names = ", ".join(one_line(grid.promise) for grid in held)
    if len(sizes) == 1 and all_of_them:
        return Text.assemble(("matrix  ", "dim"), f"{held[0].head} ({names})")
    rest = "; ".join(f"{one_line(grid.promise)}: {grid.head}" for grid in held)
    return Text.assemble(("matrix  ", "dim"), rest)


def _rows(drawn: Sequence[Grid], width: int) -> Iterator[list[Grid]]:
    """Grids that fit side by side."""
    row: list[Grid] = []
    used = 0
    for grid in drawn:
        if row and used + GAP + _width(grid) > width:
            yield row
            row, used = [], 0
        used += _width(grid) + (GAP if row else 0)
        row.append(grid)
    if row:
        yield row


def _side_by_side(row: Sequence[Grid]) -> RenderableType:
    table = Table.grid(padding=(0, GAP, 0, 0))
    table.add_row(*(Group(_title(grid), *_lines(grid)) for grid in row))
    return table


def _width(grid: Grid) -> int:
    return max(_cell(grid) * (len(grid.slots) + 1) + 1, len(_title(grid).plain))


def _cell(grid: Grid) -> int:
    return max(len(str(slot)) for slot in grid.slots) + 1


def _title(grid: Grid) -> Text:
    return Text.assemble((one_line(grid.promise), "bold"), f": {count(grid.holds)} of {count(grid.pairs)} hold")


def _lines(grid: Grid) -> Iterator[Text]:
    cell = _cell(grid)
    yield Text(" " * cell + "".join(f"{slot:>{cell}}" for slot in grid.slots), style="dim")
    for writer, cells in grid.rows:
        line = Text(f"{writer:>{cell}}", style="dim")
        for one in cells:
            mark, style = _mark(one)
            line.append(f"{mark:>{cell}}", style=style)
        yield line


def _mark(cell: MatrixCell | None) -> tuple[str, str]:
    if cell is None:
        return "", ""
    if cell.holds is None:
        return "?", "dim"
    return ("·", "green") if cell.holds else ("✗", "bold red")


def _words(grid: Grid, said: Said, whole: bool) -> RenderableType:
    example = Text(f": {one_line(said.example, EXAMPLE)}" if said.example and whole else "", style="dim")
    line = Text.assemble(f"{said.mark} ", (one_line(grid.promise), "bold"), f": {one_line(said.what)} {said.where}")
    return Padding(line + example, (0, 0, 0, 2))
