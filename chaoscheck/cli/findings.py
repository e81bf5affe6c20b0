"""Findings on a terminal: the worst with their requests, further ones in a sentence, the rest in a line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from chaoscheck.cli.trimmed import Trimmed
from chaoscheck.model.verdict import Cause, ChainLink, Finding, PromiseSummary
from chaoscheck.reporting.chain import happened, is_request
from chaoscheck.reporting.text import one_line
from chaoscheck.reporting.units import clock, count, plural, seen_on

WHOLE = 2
"""So many findings, of different promises, are shown with their requests..."""

TOLD = 5
"""... so many, these included, with their sentence..."""

LISTED = 15
"""... and so many at all: the report has every one."""


def print_findings(
    console: Console, found: Sequence[Finding], promises: Sequence[PromiseSummary], *, whole: bool = False
) -> None:
    """Worst first, as they come; `whole` shows all of all."""
    fixes: dict[str, int] = {}
    proved: set[str] = set()
    for number, finding in enumerate(found, start=1):
        if not whole and number > LISTED:
            break
        console.print(_title(number, finding, promises), highlight=False)
        if not whole and number > TOLD:
            continue
        _print_words(console, finding)
        if whole or (finding.promise not in proved and len(proved) < WHOLE):
            proved.add(finding.promise)
            for link in finding.chain:
                _print_link(console, link)
        if finding.fix:
            first = fixes.setdefault(finding.fix, number)
            fix = one_line(finding.fix) if first == number else f"as of finding {first}"
            console.print(_under(Text.assemble(("fix: ", "bold"), fix)), highlight=False)
        console.print()
    if not whole and len(found) > len(proved):
        _print_rest(console, len(found), len(found) - len(proved))


def _print_rest(console: Console, found: int, unproved: int) -> None:
    """How much of it is not here."""
    more = f"and {plural(found - LISTED, 'more finding')}; " if found > LISTED else ""
    line = f"{more}the requests of {count(unproved)} of these findings are in the report"
    console.print(Text(line, style="dim"), highlight=False)
    console.print()


def _title(number: int, finding: Finding, promises: Sequence[PromiseSummary]) -> Text:
    critical = " (critical)" if finding.critical else ""
    what = f"{one_line(finding.promise)}: {one_line(finding.anomaly)}, {finding.cause}, {seen_on(finding, promises)}"
    return Text(f"{number}. {what}{critical}", style="bold red")


def _print_words(console: Console, finding: Finding) -> None:
    if finding.strike >= 0:
        blame = f"{one_line(finding.wording)} strike {finding.strike} of {one_line(finding.victim)}"
    else:
        blame = "tied to no one kill" if finding.cause is Cause.BACKGROUND else "no kill is needed to see it"
    console.print(_under(Text(one_line(finding.summary, 600))), highlight=False)
    console.print(_under(Text(f"{blame}, {clock(finding.at_ns)}", style="dim")), highlight=False)


def _print_link(console: Console, link: ChainLink) -> None:
    """A request and its answer, or what happened between two of them."""
    sent = is_request(link)
    line = f"   {link.at_ns / 1e9:8.3f} s  {one_line(link.curl if sent else happened(link))}"
    # One long line: a command that was broken at 80 columns can't be pasted.
    console.print(Text(line, style="" if sent else "red"), soft_wrap=True)
    if sent:
        answer = f"-> {link.status or 'no answer'} from {one_line(link.instance) or 'nobody known'}"
        note = f" ({one_line(link.note, 120)})" if link.note else ""
        console.print(_under(Text(answer + note, style="dim"), 15), highlight=False)


def _under(text: Text, indent: int = 3) -> Trimmed:
    return Trimmed(Padding(text, (0, 0, 0, indent)))
