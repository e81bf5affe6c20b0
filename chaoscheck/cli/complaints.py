"""Our own errors on standard error: one sentence, its evidence, a hint."""

from __future__ import annotations

import typer

from chaoscheck.errors import ChaosError, PlanError

WRONG_USAGE = 2


def complain(error: ChaosError) -> None:
    """`error: plan.yaml:3: ...`, details as quoted lines, `hint: ...`."""
    place = f"{error.place}: " if isinstance(error, PlanError) and error.place else ""
    typer.echo(f"error: {place}{error.message}", err=True)
    if error.details:
        typer.echo("\n".join(f"  | {line}" for line in error.details.splitlines()), err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)
