"""`chaoscheck init` as it is typed: what it writes, asks, refuses, and says next; and completion after TAB."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from samples import story
from typer.testing import CliRunner

from chaoscheck.cli import completion, init
from chaoscheck.cli.app import app
from chaoscheck.drafting.gather import Given, gather
from chaoscheck.drafting.write import write as written
from tests.cli.conftest import Command

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "tests" / "samples" / "recordings"


def test_flags_make_a_plan_that_is_accepted(command: Command, tmp_path: Path) -> None:
    """All on one line; the next command is the only thing on standard output."""
    code, out, err = command(
        "init", "--image", "shop:1", "--port", "9000", "--ready", "/up", "--env", "A=b=c", "--store", "redis=redis:7",
        "--setup", "migrate now", "--login", "POST /login user password 200", "--see", "GET /me json:user",
        "--logout", "POST /logout", "--write", "PUT /note text", "--read", "GET /note json:text",
    )  # fmt: skip
    assert (code, out) == (0, "chaoscheck try plan.yaml\n"), err
    text = (tmp_path / "plan.yaml").read_text()
    for part in (
        'image: "shop:1"',
        "port: 9000",
        "ready: /up",
        'env: {A: "b=c"}',
        "setup: [migrate now]",
        'redis: {image: "redis:7"}',
    ):
        assert part in text, part
    assert "say here" not in text
    assert command("run", "plan.yaml", "--dry-run")[0] == 0


def test_editor_finds_the_schema_beside_the_plan(command: Command, tmp_path: Path) -> None:
    """The first line names it, and it is the program's own."""
    command("init", "--image", "x")
    first = (tmp_path / "plan.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=.chaoscheck/plan.schema.json"
    assert json.loads((tmp_path / ".chaoscheck/plan.schema.json").read_text()) == json.loads(command("schema")[1])


def test_what_is_missing_is_named_by_its_line(command: Command, tmp_path: Path) -> None:
    """Without a terminal nobody is asked; `try` then names the first of them too."""
    code, _, err = command("init")
    assert code == 0
    missing = [line.split()[1] for line in err.splitlines() if line.startswith("missing")]
    assert missing
    lines = (tmp_path / "plan.yaml").read_text().splitlines()
    assert all("say here" in lines[int(place.split(":")[1]) - 1] for place in missing)
    code, _, err = command("try", "plan.yaml")
    assert code == 4
    assert err.startswith("error: plan.yaml:")
    assert "hint: " in err


def test_plan_that_is_there_stays_unless_forced(command: Command, tmp_path: Path) -> None:
    """Work of hours may stand in it."""
    (tmp_path / "plan.yaml").write_text("mine")
    code, out, err = command("init", "--image", "x")
    assert (code, out) == (2, "")
    assert "is there already" in err and "--force" in err
    assert (tmp_path / "plan.yaml").read_text() == "mine"
    assert not (tmp_path / ".chaoscheck").exists()
    assert command("init", "--image", "x", "--force")[0] == 0
    assert command("init", "--image", "x", "other.yaml")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--har", "none.har"], "can't read none.har"),
        (["--openapi", "https://api.example/x"], "is not this machine"),
        (["--openapi", "http://127.0.0.1:1/x"], "doesn't answer"),
        (["--compose", "none.yaml"], "can't read the compose file none.yaml"),
        (["--env", "A"], "--env is NAME=value"),
        (["--login", "log me in"], "method and a path"),
        (["no/where/plan.yaml"], "there is no folder"),
    ],
)
def test_wrong_words_end_in_2_with_a_hint_and_no_file(
    command: Command, tmp_path: Path, words: list[str], said: str
) -> None:
    """Usage, not a verdict."""
    code, out, err = command("init", *words)
    assert (code, out) == (2, "")
    assert said in err.splitlines()[0]
    assert err.splitlines()[-1].startswith("hint: ")
    assert not (tmp_path / "plan.yaml").exists()


def test_recording_leaves_no_secret_in_file_or_talk(command: Command, tmp_path: Path) -> None:
    """The plan is committed, the talk is in a CI log."""
    code, out, err = command("init", "--image", "x", "--har", RECORDINGS / "roundup.har")
    assert code == 0
    everything = out + err + (tmp_path / "plan.yaml").read_text()
    assert "annabel" not in everything and "s3cret-words" not in everything
    assert "seen to work in the recording" in err


def test_try_follows_at_once(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--try`: from nothing to a plan that is known to work, in one line (on a simulated service)."""
    monkeypatch.setenv("CHAOSCHECK_ENGINE", "fake")
    words = ["init", "--try", "--force", "--command", "stateless", "--ready", "/healthz",
             "--login", 'POST /login {"user": "$user", "password": "pw"}']  # fmt: skip
    code, out, _ = command(*words, "--see", "GET /me json:user")
    assert (code, "The plan works: login" in out) == (0, True), out
    code, out, _ = command(*words, "--see", "GET /nowhere json:user")
    assert (code, "The plan works" in out) == (4, False)
    assert "hint: hold the answers above against the plan" in out
    code, out, _ = command(*words[:-1], "POST /nowhere user", "--see", "GET /me json:user")
    assert code == 4
    assert "next    login.do: POST /nowhere was answered 4" in out
    assert "hint: it refuses the login itself" in out
    assert "exposures are needed" not in out


def test_terminal_is_asked_for_what_nobody_told(tmp_path: Path) -> None:
    """Each answer becomes part of the plan; a wrong port is asked for again."""
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "chaoscheck", "init"], cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    dialogue = [("(--har) or an API description (--openapi) would", None), ("What to run", "shop:2"),
                ("port", "/healthz"), ("'/healthz' is no port", None), ("port", "81"), ("Which path", "up"),
                ("'up' is no path", None), ("Which path", "/up"), ("log in", "log me in"),
                ("doesn't begin with a method and a path", None), ("log in", "POST /in user pw"),
                ("who is logged in", "GET /me json:name"), ("write", "")]  # fmt: skip
    seen = b""
    for question, answer in dialogue:
        if answer is None:
            seen = _until(mine, question, seen, whole=True)
            continue
        seen = _until(mine, question, seen)
        os.write(mine, answer.encode() + b"\n")
    assert process.wait(20) == 0
    os.close(mine)
    text = (tmp_path / "plan.yaml").read_text()
    assert 'target: {image: "shop:2", port: 81, ready: /up}' in text
    assert "{post: /in, json: {user: $user, pw: $password}}" in text
    assert 'value: "json:name"' in text
    assert "# port: your answer (as you said)" in text


def test_enter_takes_a_guess_and_is_recorded_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody said so: the plan's reader has to know which lines to doubt."""
    monkeypatch.setattr(init.typer, "prompt", lambda *_, default, **__: default)
    given = Given(here=tmp_path, base=tmp_path, said={"image": "shop"})
    text = written(init._asked(gather(given), given))
    assert "target: {image: shop, port: 8000, ready: /}" in text
    assert "# port: 8000 is usual; nothing told (a guess)" in text
    assert "# image: from the command line (as you said)" in text
    assert text.count("as you said") == 1


def test_plan_that_lacks_all_is_no_plan_to_try(command: Command, tmp_path: Path) -> None:
    """Instead of the next command, what to say first; and who tries it all the same is told so by its line."""
    (tmp_path / "Dockerfile").write_text("FROM x\nEXPOSE 5\n")
    code, out, err = command("init")
    assert (code, out) == (0, "")
    assert "found   build: . has a Dockerfile (likely)" in err
    assert "that tells what users do: a recording of the browser (--har)" in err
    assert "next    it lacks a promise: fill in what is missing, then chaoscheck try plan.yaml" in err
    code, _, err = command("try", "plan.yaml")
    assert code == 4
    assert "no promise yet" in err.splitlines()[0] and "uncomment one" in err.splitlines()[-1]
    (tmp_path / "Dockerfile").unlink()
    assert "next    it lacks what to run and a promise" in command("init", "--force")[2]
    assert "nothing to run yet" in command("try", "plan.yaml")[2].splitlines()[0]


def _until(terminal: int, text: str, seen: bytes, *, whole: bool = False) -> bytes:
    """Read until a new prompt with that text waits for its answer; `whole`: what was read, which is no answer yet."""
    until = time.monotonic() + 20
    while not (text in seen.decode(errors="replace") and seen.rstrip(b" ").endswith((b":", b"]:"))):
        left = until - time.monotonic()
        assert left > 0 and select.select([terminal], [], [], left)[0], f"no {text!r} in {seen!r}"
        seen += os.read(terminal, 4096)
    return seen if whole else b""


def tab(line: str) -> list[str]:
    """What bash offers at the end of that line."""
    asked = {"_CHAOSCHECK_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = CliRunner().invoke(app, [], prog_name="chaoscheck", env=asked)
    assert done.exit_code == 0
    return done.stdout.split()


def test_tab_offers_plans_runs_engines_and_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What fits the place, and nothing else."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "shop.yaml").write_text("target: {}\npromises: {}\n")
    (tmp_path / "plans" / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "plan.yml").write_text("promises: {}\n")
    run = story.write(tmp_path).path
    assert tab("chaoscheck run pl") == ["plan.yml", "plans/shop.yaml"]
    assert tab("chaoscheck try plans/") == ["plans/shop.yaml"]
    assert str(run.relative_to(tmp_path)) in tab(f"chaoscheck check {run.parent.relative_to(tmp_path)}/")
    assert "process" in tab("chaoscheck run --engine ")
    assert {"init", "run", "try"} <= set(tab("chaoscheck "))


def test_completion_is_quick_and_never_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No folder, no right to read, a tree that is far too large."""
    monkeypatch.chdir(tmp_path)
    assert completion.plans("none/") == []
    assert completion.runs("none/x") == []
    for number in range(60):
        (tmp_path / f"d{number}" / "a" / "b" / "c" / "d").mkdir(parents=True)
        (tmp_path / f"d{number}" / "a" / "b" / "c" / "d" / "deep.yaml").write_text("promises: {}")
    began = time.monotonic()
    assert completion.plans("d") == []
    assert time.monotonic() - began < 1
