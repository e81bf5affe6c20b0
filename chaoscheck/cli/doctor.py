"""Shows what a look at the surroundings found, as it is found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap

from chaoscheck.checkup.examine import examine
from chaoscheck.cli.ci import no_commands
from chaoscheck.cli.consoles import output, write
from chaoscheck.model.checkup import Check, Level
from chaoscheck.model.verdict import Verdict
from chaoscheck.steps.mask import printable

_LEVEL, _NAME = 9, 17


def doctor(path: Path | None, *, engine: str | None, reports: Path, as_json: bool) -> int:
    """Look, show; 0 where a run could work, 4 where it could not."""
    found = examine(path, engine=engine, reports=reports)
    checks = list(found) if as_json else list(_shown(found))
    usable = all(check.level is not Level.PROBLEM for check in checks)
    if as_json:
        write(json.dumps({"usable": usable, "checks": [asdict(check) for check in checks]}, indent=1) + "\n")
    else:
        output().print("\n" + _summary(checks))
    return Verdict.PASS.exit_code if usable else Verdict.INVALID.exit_code


def _shown(checks: Iterable[Check]) -> Iterator[Check]:
    """Each is printed as it comes: some take seconds. What an engine says is nobody's command."""
    out = output()
    with no_commands(write):
        for check in checks:
            for line in lines(check, out.width):
                out.print(line, soft_wrap=True)
            yield check


def lines(check: Check, width: int) -> list[str]:
    """A check as it stands in the terminal: its level first, for whoever looks down the left edge."""
    room = max(30, width - _LEVEL - _NAME)
    level = check.level.value.upper() if check.level is Level.PROBLEM else check.level.value
    said = wrap(printable(check.seen), room) or [""]
    said += wrap(f"hint: {printable(check.hint)}", room) if check.hint else []
    heads = [f"{level:<{_LEVEL}}{check.name:<{_NAME}}", *[" " * (_LEVEL + _NAME)] * (len(said) - 1)]
    return [f"{head}{text}" for head, text in zip(heads, said, strict=True)]


def _summary(checks: Iterable[Check]) -> str:
    levels = [check.level for check in checks]
    problems, warnings = levels.count(Level.PROBLEM), levels.count(Level.WARN)
    told = f"{warnings} {'warning' if warnings == 1 else 'warnings'}"
    if problems:
        return f"{problems} {'problem' if problems == 1 else 'problems'}, {told}: a run could not work here."
    return f"No problem, {told}: a run can work here."
