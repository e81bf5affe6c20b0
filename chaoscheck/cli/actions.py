"""What the commands do, apart from reading their words."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from chaoscheck import plugins
from chaoscheck.checkers.evidence import kill_bound
from chaoscheck.cli.aim import aim_for
from chaoscheck.cli.ci import no_commands, tell_github
from chaoscheck.cli.consoles import beside, output, talk, write
from chaoscheck.cli.live import view_for
from chaoscheck.cli.opening import open_page
from chaoscheck.cli.staging import prospect, say_taken, settle
from chaoscheck.cli.summary import print_summary
from chaoscheck.cli.trying import Exchanges, foretell, show_held, show_next, show_probes
from chaoscheck.engines.base import ENGINES
from chaoscheck.faults.base import Mode
from chaoscheck.faults.schedule import planned_strikes
from chaoscheck.model.verdict import Result, Verdict
from chaoscheck.phases.permission import NOTHING, Allowed
from chaoscheck.phases.sizing import size
from chaoscheck.phases.validate import validate
from chaoscheck.plan.plan import LoadedPlan
from chaoscheck.reporting.index import refresh_index
from chaoscheck.reporting.text import one_line
from chaoscheck.run import Options, conclude, run, shell_words
from chaoscheck.store import RunFolder, encode_result, load, near

INTERRUPTED = 130


def run_plan(
    loaded: LoadedPlan,
    *,
    reports: Path,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    keep: bool,
    fail_fast: bool,
    words: list[str],
    allowed: Allowed = NOTHING,
) -> int:
    """Run, show, summarise; the exit code. `fail_fast` ends the run as soon as a finding that counts is a FAIL."""
    stderr = talk()
    plugins.load()
    validate(loaded)
    loaded = settle(loaded, allowed, say=lambda line: None if quiet else stderr.print(line))
    if not quiet:
        say_taken(loaded, stderr, whole=False)
        announce(loaded, stderr)
    aim = aim_for(loaded.plan, size(loaded.plan))
    tell = beside if as_json else write
    with no_commands(tell):
        with view_for(stderr, quiet=quiet or as_json, verbose=verbose, aim=aim) as view:
            result, folder = run(
                loaded,
                Options(
                    reports=reports,
                    listeners=(view.on,),
                    keep=keep,
                    command=shell_words(["chaoscheck", *words]),
                    say=lambda line: None if quiet else view.say(line),
                    enough=failed if fail_fast else None,
                    allow_kill=allowed.kill,
                    allow_remote=allowed.remote,
                ),
            )
        code = _finish(result, folder, as_json=as_json, quiet=quiet, verbose=verbose)
    tell_github(result, folder.path, loaded.path, tell)
    return code


def failed(result: Result) -> bool:
    """Whether a run that fails fast ends here: what is known, or at warn, is no reason to stop."""
    return any(finding.verdict is Verdict.FAIL for finding in result.decisive)


def try_plan(loaded: LoadedPlan, *, reports: Path, keep: bool, words: list[str], allow_remote: bool = False) -> int:
    """Run up to the matrix, showing each exchange; the exit code is 0 when everything held that was tried."""
    out = output(markup=True)
    say_taken(loaded, output(), whole=True)
    exchanges = Exchanges(out, foretell(out, loaded.plan))
    result, folder = run(
        loaded,
        Options(
            reports=reports,
            keep=keep,
            only_try=True,
            allow_remote=allow_remote,
            command=shell_words(["chaoscheck", *words]),
            say=lambda line: out.print(line, markup=False),
            watch=exchanges,
        ),
    )
    seen = folder.events()
    show_probes(out, seen, result.matrix)
    if result.verdict is Verdict.INCONCLUSIVE and not result.interrupted and show_held(out, result):
        return 0
    if result.verdict is not Verdict.FAIL and not result.interrupted and exchanges.any:
        show_next(out, exchanges, result, folder.path, seen)
        return result.verdict.exit_code
    print_summary(out, result, folder.path, verbose=False, matrix=False)
    return INTERRUPTED if result.interrupted else result.verdict.exit_code


def announce(loaded: LoadedPlan, console: Console) -> None:
    """Seed, budget, evidence within reach, and what will be killed: before anything is."""
    plan = loaded.plan
    sizing = size(plan)
    print_line = console.print
    print_line(
        f"plan {loaded.path.name}, seed {plan.seed}: {plan.instances} instances, {sizing.kills} kills and "
        f"{sizing.shams} shams, {sizing.users} users, about {sizing.seconds:.0f} s if the service answers at once"
    )
    if plan.budget is not None:
        print_line(f"budget: {plan.budget.bad_seconds_a_kill:.2f} bad seconds a kill")
    bound = kill_bound(plan.evidence.confidence, sizing.kills)
    print_line(
        f"evidence: {sizing.needed} exposures a promise for PASS (at most {plan.evidence.max_loss:.1%} lost); "
        f"{sizing.kills} clean kills bound the kills that lose something to {bound:.0%}"
    )
    if sizing.reachable < sizing.needed:
        print_line(
            f"warning: about {sizing.reachable} exposures a promise are within reach of the planned rounds; "
            f"rounds are added for {plan.chaos.at_most:.0f} s at most"
        )


def dry_run(loaded: LoadedPlan, *, as_json: bool) -> None:
    """The strikes that the seed fixes (not what comes of them), and the sizes."""
    plugins.load()
    validate(loaded)
    loaded = prospect(loaded, talk())
    plan = loaded.plan
    strikes = planned_strikes(plan.seed, plan.instances, plan.chaos)
    if as_json:
        write(
            json.dumps(
                {
                    "seed": plan.seed,
                    "strikes": [
                        {
                            "index": strike.index,
                            "round": strike.round,
                            "slot": strike.slot,
                            "mode": strike.mode.value,
                            "pause_s": round(strike.pause_s, 3),
                            "aims": [round(aim, 4) for aim in strike.aims],
                        }
                        for strike in strikes
                    ],
                },
                indent=1,
            )
            + "\n"
        )
        return
    out = output()
    say_taken(loaded, out, whole=True)
    announce(loaded, out)
    for strike in strikes:
        what = "sham: nobody dies" if strike.mode is Mode.SHAM else f"{plan.chaos.fault}, {strike.mode.value}"
        out.print(f"  round {strike.round + 1}  strike {strike.index:>2}  slot {strike.slot}  {what}")
    out.print("The seed fixes these strikes, not what comes of them.")


def check(path: Path, *, as_json: bool) -> int:
    """Judge again, without containers; say whether the result is the same, byte for byte."""
    plugins.load()
    folder = load(path)
    before = folder.result_file.read_bytes() if folder.result_file.exists() else b""
    result = conclude(folder)
    same = encode_result(result) == before
    stderr = talk()
    if before:
        stderr.print(
            "judged again: the same result, byte for byte"
            if same
            else "judged again: the result DIFFERS from the saved one (another version of chaoscheck, or a changed "
            "history)"
        )
    else:
        stderr.print("judged for the first time: this run had no result yet")
    return _finish(result, folder, as_json=as_json, quiet=False, verbose=False)


def report(path: Path, *, open_it: bool = False) -> None:
    """Write the reports again, and show the page if asked to."""
    plugins.load()
    folder = load(path)
    conclude(folder)
    refresh_index(folder.path.parent)
    output(soft_wrap=True).print(near(folder.path / "report.html"))
    if open_it:
        open_page(folder.path / "report.html")


def clean() -> None:
    """Sweep every engine that answers."""
    plugins.load()
    out = output(soft_wrap=True)
    found = 0
    for name in ENGINES:
        engine = ENGINES.get(name)()
        refusal = engine.available()
        if refusal:
            out.print(f"{name}: not looked at: {refusal}")
            continue
        for line in engine.sweep():
            found += 1
            out.print(f"{name}: removed {line}")
    out.print(f"{found} things removed" if found else "nothing was left behind")


def _finish(result: Result, folder: RunFolder, *, as_json: bool, quiet: bool, verbose: bool) -> int:
    if as_json:
        write(folder.result_file.read_text(encoding="utf-8"))
    else:
        out = output()
        if quiet:
            out.print(f"{result.verdict.value}: {one_line(result.reason)}", soft_wrap=True)
        else:
            print_summary(out, result, folder.path, verbose=verbose)
    return INTERRUPTED if result.interrupted else result.verdict.exit_code
