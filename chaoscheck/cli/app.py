"""The commands, and what each ends in."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

import chaoscheck
from chaoscheck.cli import completion
from chaoscheck.cli.complaints import WRONG_USAGE, complain
from chaoscheck.cli.init import init
from chaoscheck.errors import ChaosError, NotAllowed
from chaoscheck.model.verdict import Verdict

INTERRUPTED = 130
EXIT_CODES = """Exit codes: 0 PASS, 1 FAIL, 2 wrong usage, 3 INCONCLUSIVE (not enough evidence), 4 INVALID (the plan,
the environment or chaoscheck itself), 130 interrupted."""
QUESTION = "Can you kill -9 any instance of a web service, at any time, without a user noticing?"

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=f"{QUESTION}\n\n{EXIT_CODES}",
)

PlanArgument = Annotated[
    Path, typer.Argument(metavar="PLAN", help="The plan, a YAML file.", autocompletion=completion.plans)
]
Engine = Annotated[
    str | None,
    typer.Option(
        help="docker, process, attach or fake; else the first that can run the plan.", autocompletion=completion.engines
    ),
]
Seed = Annotated[int | None, typer.Option(help="Fixes who is struck, when and how (not what comes of it).")]
Instances = Annotated[int | None, typer.Option(min=1, max=20, help="How many instances.")]
Image = Annotated[str | None, typer.Option(help="Run this image instead of the plan's.")]
AllowRemote = Annotated[bool, typer.Option("--allow-remote", help="What it acts on may be another machine's.")]
Out = Annotated[Path, typer.Option(help="Where run folders go.")]
Reports = Annotated[Path, typer.Option(help="The folder of the runs.")]
RunFolderArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="A run's folder, such as reports/latest.", autocompletion=completion.runs),
]

app.command()(init)


@app.command(epilog=EXIT_CODES)
def run(
    plan: PlanArgument,
    engine: Engine = None,
    seed: Seed = None,
    instances: Instances = None,
    image: Image = None,
    out: Out = Path("reports"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print result.json on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the verdict.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every finding, gate and strike.")] = False,
    fail_fast: Annotated[
        bool | None,
        typer.Option(
            "--fail-fast/--no-fail-fast", help="End as soon as a FAIL is confirmed (the default where CI is set)."
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave what was started running, to look at.")] = False,
    allow_kill: Annotated[bool, typer.Option("--allow-kill", help="Kill containers of target.attach.")] = False,
    allow_remote: AllowRemote = False,
) -> None:
    """Start the service, let users work on it, kill its instances, and judge."""
    from chaoscheck.cli import actions
    from chaoscheck.cli.ci import in_ci
    from chaoscheck.phases.permission import Allowed

    loaded = _load(plan, engine=engine, seed=seed, instances=instances, image=image)
    if dry_run:
        actions.dry_run(loaded, as_json=as_json)
        return
    _leave(
        lambda: actions.run_plan(
            loaded,
            reports=out,
            as_json=as_json,
            quiet=quiet,
            verbose=verbose,
            keep=keep,
            fail_fast=in_ci() if fail_fast is None else fail_fast,
            words=sys.argv[1:],
            allowed=Allowed(kill=allow_kill, remote=allow_remote),
        )
    )


@app.command("try", epilog=EXIT_CODES)
def try_(
    plan: PlanArgument,
    engine: Engine = None,
    instances: Instances = None,
    image: Image = None,
    out: Out = Path("reports"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave what was started running, to look at.")] = False,
    allow_remote: AllowRemote = False,
) -> None:
    """Start the service and test the plan: each step's request, answer and what it took. No load, no kill."""
    from chaoscheck.cli import actions

    loaded = _load(plan, engine=engine, instances=instances, image=image)
    _leave(lambda: actions.try_plan(loaded, reports=out, keep=keep, words=sys.argv[1:], allow_remote=allow_remote))


@app.command(epilog=EXIT_CODES)
def check(
    run: RunFolderArgument = Path("reports/latest"),
    as_json: Annotated[bool, typer.Option("--json", help="Print result.json on standard output.")] = False,
) -> None:
    """Judge a saved run again, from its history alone: the same result, byte for byte."""
    from chaoscheck.cli import actions

    with _given(run.exists):
        _leave(lambda: actions.check(run, as_json=as_json))


@app.command()
def report(
    run: RunFolderArgument = Path("reports/latest"),
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
) -> None:
    """Write the reports of a saved run again, even of one that was cut off."""
    from chaoscheck.cli import actions

    with _given(run.exists):
        actions.report(run, open_it=open_)


@app.command("list")
def list_(
    reports: Reports = Path("reports"),
    plan: Annotated[str, typer.Option(help="Only runs of plans with this in their name.")] = "",
    limit: Annotated[int, typer.Option("-n", min=0, help="How many, 0 for all.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> None:
    """List the runs of a folder, newest first: verdict, when, plan, why."""
    from chaoscheck.cli.listing import list_runs

    _leave(lambda: list_runs(reports, plan=plan, as_json=as_json, limit=limit))


@app.command()
def compare(
    before: Annotated[
        str,
        typer.Argument(metavar="[A]", help="A run: folder, name, latest or previous.", autocompletion=completion.runs),
    ] = "previous",
    after: Annotated[
        str, typer.Argument(metavar="[B]", help="The run to hold against it.", autocompletion=completion.runs)
    ] = "latest",
    reports: Reports = Path("reports"),
    as_json: Annotated[bool, typer.Option("--json", help="Print what differs as JSON.")] = False,
) -> None:
    """Say what changed from run A to run B. Exit code 0 when B is no worse than A, 1 when it is."""
    from chaoscheck.cli.comparing import compare_runs, found

    with _given(lambda: found(before, reports) and found(after, reports)):
        _leave(lambda: compare_runs(before, after, reports=reports, as_json=as_json))


@app.command()
def doctor(
    plan: Annotated[
        Path | None,
        typer.Argument(metavar="[PLAN]", help="The plan, a YAML file.", autocompletion=completion.plans),
    ] = None,
    engine: Engine = None,
    out: Out = Path("reports"),
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Look whether a run could work here, of PLAN or of any: exit code 0 if it could, 4 if not."""
    from chaoscheck.cli.doctor import doctor as look

    with _given(lambda: plan is None or plan.is_file()):
        _leave(lambda: look(plan, engine=engine, reports=out, as_json=as_json))


@app.command()
def clean() -> None:
    """Remove what runs left behind whose process is gone. What a living run owns is never touched."""
    from chaoscheck.cli import actions

    actions.clean()


@app.command()
def schema() -> None:
    """Print the plan's JSON Schema (draft-07), for editors."""
    from chaoscheck.plan.schema import schema as plan_schema

    typer.echo(json.dumps(plan_schema(), indent=2))


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(chaoscheck.__version__)
        raise typer.Exit


def main() -> None:
    """The console script: our own errors end in one sentence, a hint and exit code 4, and so do our own defects."""
    try:
        app()
    except NotAllowed as error:
        complain(error)
        sys.exit(WRONG_USAGE)
    except ChaosError as error:
        complain(error)
        sys.exit(Verdict.INVALID.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        # Python's own 1 would say FAIL: that the service broke a promise.
        traceback.print_exc()
        typer.echo(f"error: chaoscheck itself failed: {type(error).__name__}: {error}", err=True)
        sys.exit(Verdict.INVALID.exit_code)


def _load(path: Path, **flags: Any) -> Any:
    from chaoscheck.plan.load import load_plan

    keys = {"engine": ("engine",), "seed": ("seed",), "instances": ("instances",), "image": ("target", "image")}
    with _given(path.is_file):
        return load_plan(path, overrides={keys[name]: value for name, value in flags.items() if value is not None})


@contextmanager
def _given(is_there: Callable[[], bool]) -> Iterator[None]:
    """A path that leads nowhere is wrong usage: there was no plan or run that could be found wanting."""
    try:
        yield
    except ChaosError as error:
        if is_there():
            raise
        complain(error)
        raise typer.Exit(WRONG_USAGE) from None


def _leave(work: Callable[[], int]) -> None:
    try:
        code = work()
    except KeyboardInterrupt as stop:
        # Caught here: some versions of typer end in 1, which would say FAIL.
        typer.echo(f"interrupted: {stop}" if str(stop) else "interrupted", err=True)
        code = INTERRUPTED
    raise typer.Exit(code)
