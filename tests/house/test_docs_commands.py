"""docs/commands.md describes each command and option; every call of chaoscheck in any page can be made."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from samples.pages import ROOT, TEXTS, commands, named, rows, section, spans

from chaoscheck.cli.app import app

PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
# Versions of typer bring click along under different names, so nothing here asks for its classes.
GROUP: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = dict(GROUP.commands)


def options(command: Any) -> set[str]:
    """All spellings, but --help."""
    own = [one for one in command.params if one.param_type_name == "option"]
    return {name for one in own for name in (*one.opts, *one.secondary_opts)} - {"--help"}


def arguments(command: Any) -> list[Any]:
    return [one for one in command.params if one.param_type_name == "argument"]


def test_every_command_has_its_section_and_no_other() -> None:
    """`## chaoscheck NAME` for each."""
    assert set(re.findall(r"^## chaoscheck ([a-z-]+)", PAGE, flags=re.M)) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_options_of_the_section_are_the_program_s(name: str) -> None:
    """Each is described, and none is invented."""
    heading = next(line for line in PAGE.splitlines() if re.match(rf"## chaoscheck {name}\b", line))
    told = {option for row in rows(section(PAGE, heading)) for option in re.findall(r"`(--?[a-z-]+)", row[0])}
    assert told == options(COMMANDS[name])


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_usage_line_names_the_arguments(name: str) -> None:
    """The heading reads as the command is typed."""
    heading = next(line for line in PAGE.splitlines() if re.match(rf"## chaoscheck {name}\b", line))
    wanted = [one.metavar.strip("[]") for one in arguments(COMMANDS[name])]
    assert re.findall(r"[A-Z]+", heading) == wanted


FOREIGN = {"--network", "--user", "--host"}
"""Options of docker and locust that pages name by themselves."""

CALLS = [
    pytest.param(words, id=f"{named(path)}: {words[:60]}")
    for path in TEXTS
    if path.name != "CHANGELOG.md"
    for words in commands(path.read_text(encoding="utf-8"))
]


def test_there_are_calls() -> None:
    """An empty list would make the test below vacuous."""
    assert len(CALLS) >= 40


@pytest.mark.parametrize("words", CALLS)
def test_call_in_a_page_can_be_made(words: str) -> None:
    """The command exists, takes each option that stands there, and has all that it needs."""
    name, *rest = shlex.split(words)
    if name.startswith("--"):
        assert name in options(GROUP) | {"--help"}
        return
    assert name in COMMANDS, words
    command = COMMANDS[name]
    flags = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
    assert [flag for flag in flags if flag not in options(command) | {"--help"}] == []
    if rest and "..." not in rest:
        needed = [one for one in arguments(command) if one.required]
        if needed and all(word.startswith("-") for word in rest):
            return
        context = command.make_context(name, list(rest), resilient_parsing=False)
        context.close()


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_options_named_in_code_exist_somewhere(path: Path) -> None:
    """`--like-this` in a page of docs is one of ours."""
    if path.parent.name != "docs" or path.name == "plugins.md":
        return
    known = {option for command in [GROUP, *COMMANDS.values()] for option in options(command)} | {"--help"}
    known |= set(re.findall(r'"(--chaoscheck-[a-z]+)"', (ROOT / "chaoscheck" / "pytest_plugin.py").read_text("utf-8")))
    said = [span for span in spans(path.read_text(encoding="utf-8")) if span.startswith("--")]
    assert {span.split("=")[0].split()[0] for span in said} - known - FOREIGN == set()
