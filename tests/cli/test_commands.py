"""The commands as they are typed: help, schema, dry runs, and mistakes that are found before anything starts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from samples import story
from samples.desk import ROOT, SERVICE, Desk

from chaoscheck.cli import actions
from tests.cli.conftest import Command


@pytest.fixture(autouse=True)
def _wide(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no message is broken where a test looks for it."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(folder=tmp_path, runtime=tmp_path / "runtime")


def test_help_of_every_judging_command_tells_the_exit_codes(command: Command) -> None:
    """A CI author reads them where they type."""
    for words in ([], ["run"], ["try"], ["check"]):
        code, out, _ = command(*words, "--help")
        assert code == 0
        for sense in ("0 PASS", "1 FAIL", "2 wrong usage", "3 INCONCLUSIVE", "4 INVALID", "130 interrupted"):
            assert sense in " ".join(out.split()), (words, sense)


def test_every_command_of_the_issue_is_there(command: Command) -> None:
    """Names are part of the interface."""
    out = command("--help")[1]
    assert set(re.findall(r"^  (\w+)  ", out, re.MULTILINE)) >= {"run", "try", "check", "report", "clean", "schema"}
    options = command("run", "--help")[1]
    options_of_run = [
        "--dry-run",
        "--keep",
        "--seed",
        "--engine",
        "--instances",
        "--image",
        "--out",
        "--json",
        "-q",
        "-v",
    ]
    for option in options_of_run:
        assert re.search(rf"{option}\b", options), option


def test_wrong_usage_ends_in_2(command: Command) -> None:
    """An unknown command or option is not a verdict."""
    assert [command(*words)[0] for words in (["fly"], ["run"], ["run", "plan.yaml", "--fast"])] == [2, 2, 2]
    assert command("run", "plan.yaml", "--instances", "21")[0] == 2


def test_schema_is_draft_07_without_dangling_references(command: Command) -> None:
    """Editors read draft-07, and complete nothing behind a reference that leads nowhere."""
    code, out, _ = command("schema")
    schema = json.loads(out)
    assert (code, schema["$schema"]) == (0, "http://json-schema.org/draft-07/schema#")
    assert {"target", "promises", "chaos", "budget"} <= set(schema["properties"])
    references = set(re.findall(r'"\$ref": "#/definitions/(\w+)"', out))
    assert references
    assert references <= set(schema["definitions"])


def test_dry_run_twice_is_equal_and_another_seed_is_not(command: Command, tmp_path: Path) -> None:
    """The seed fixes the strikes; nothing is made, no folder either."""
    plan = SERVICE / "plan.yaml"
    first, second = command("run", plan, "--dry-run"), command("run", plan, "--dry-run")
    assert first == second
    assert first[0] == 0
    for line in ("seed 1", "2 instances", "exposures", "round 1  strike  0", "sham: nobody dies"):
        assert line in first[1]
    assert command("run", plan, "--dry-run", "--seed", "2")[1] != first[1]
    told = [json.loads(command("run", plan, "--dry-run", "--json", "--seed", seed)[1]) for seed in ("7", "7", "8")]
    assert told[0] == told[1]
    assert told[0]["strikes"] != told[2]["strikes"]
    assert list(tmp_path.iterdir()) == []


def test_dry_run_on_unreachable_evidence_warns(command: Command, desk: Desk) -> None:
    """PASS out of reach is said before anything is killed."""
    assert "warning" in command("run", desk.plan(traffic__users=2, evidence__max_loss="1%"), "--dry-run")[1]


MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown-key": ({"chaos__rouds": 3}, "unknown key 'rouds' in chaos", "did you mean 'rounds'?"),
    "unknown-section": ({"chaoss": {}}, "unknown key 'chaoss'", "did you mean 'chaos'?"),
    "missing-key": (
        {"promises__notes__see": None},
        "promises.notes: a promise of kind kept needs see",
        "takes do, see, undo",
    ),
    "no-promises": ({"promises": None}, "missing key 'promises'", ""),
    "too-many-instances": ({"instances": 50}, "instances: input should be less than or equal to 20, not 50", ""),
    "one-instance": ({"instances": 1}, "instances: 1 leaves nobody to serve", ""),
    "rate-below-zero": ({"traffic__rate": -3}, "traffic.rate: input should be greater than 0, not -3", ""),
    "no-duration": ({"chaos__baseline": "5 parsecs"}, "chaos.baseline: '5 parsecs' is no duration", ""),
    "no-mapping": ({"target": "shop"}, "target: must be a mapping of keys, not 'shop'", ""),
    "no-steps": ({"promises__notes__do": []}, "promises.notes: a promise of kind kept needs do", ""),
    "no-slo": ({"budget": {"slo": "high", "deaths": "200/month"}}, "budget.slo: write slo as '99.9% over 30d'", ""),
    "unknown-kind": ({"promises__notes__kind": "keept"}, "no kind of promise is named 'keept'", "did you mean 'kept'?"),
    "unknown-fault": ({"chaos__fault": "kil"}, "no fault is named 'kil'", "did you mean 'kill'?"),
    "unknown-engine": ({"engine": "dokcer"}, "no engine is named 'dokcer'", "did you mean 'docker'?"),
    "unknown-balancer": ({"balancer__kind": "dirct"}, "no balancer is named 'dirct'", "did you mean 'direct'?"),
    "unknown-fate": (
        {"promises__notes__survives": ["kil"]},
        "promises.notes.survives: 'kil' is not known",
        "did you mean 'kill'?",
    ),
    "few-accounts": ({"accounts": ["ann", "bob"]}, "2 accounts are too few", "list more"),
    "no-accounts-file": ({"accounts": "nobody.csv"}, "can't read the accounts", "relative to the plan"),
    "sticky-without-balancer": (
        {"balancer__mode": "sticky"},
        "balancer direct has no mode 'sticky'",
        "use kind haproxy",
    ),
    "external-without-url": ({"balancer__kind": "external"}, "balancer kind external needs its url", ""),
    "no-such-command": ({"target__command": ["no-such-program"]}, "there is no command no-such-program", "PATH"),
    "store-beside-processes": ({"stores": {"redis": {"image": "redis"}}}, "the process engine has no stores", "docker"),
    "nothing-to-run": ({"target__command": None}, "target needs image, build or command", ""),
}


@pytest.mark.parametrize(("changes", "said", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_plan_with_a_mistake_is_refused_with_its_line_and_leaves_nothing(
    command: Command, desk: Desk, changes: dict[str, Any], said: str, hint: str
) -> None:
    """One sentence with file and line, exit code 4, and no run folder."""
    plan = desk.plan(**changes)
    code, out, err = command("run", plan)
    lines = err.splitlines()
    assert (code, out) == (4, "")
    assert lines[0].startswith("error: ")
    assert said in lines[0]
    assert len(lines) <= 2
    if hint:
        assert lines[1].startswith("hint: ")
        assert hint in lines[1]
    assert not desk.reports.exists()


def test_balancer_far_away_is_refused_until_it_is_allowed(command: Command, desk: Desk) -> None:
    """It is no mistake of the plan: whoever types the command says that it may be sent there."""
    plan = desk.plan(balancer={"kind": "external", "url": "http://192.0.2.1"})
    code, out, err = command("run", plan)
    assert (code, out) == (2, "")
    assert "http://192.0.2.1 is not this machine; nothing was sent there" in err
    assert "--allow-remote" in err
    assert not desk.reports.exists()


def test_mistake_is_named_by_the_line_that_it_stands_in(command: Command, desk: Desk) -> None:
    """The line is the key's own, so that an editor jumps there; a section stands for what is missing in it."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({"chaos__rouds": 3}, "  rouds:"),
        ({"instances": 1}, "instances:"),
        ({"traffic__rate": -3}, "  rate:"),
        ({"promises__notes__see": None}, "  notes:"),
        ({"promises__notes__kind": "keept"}, "    kind: keept"),
        ({"balancer__mode": "sticky"}, "  mode:"),
        ({"target__command": ["nowhere"]}, "  command:"),
    ]
    for changes, key in cases:
        plan = desk.plan(**changes)
        line = next(number for number, text in enumerate(plan.read_text().splitlines(), 1) if text.startswith(key))
        assert f"error: plan.yaml:{line}: " in command("run", plan)[2], key


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("json:text", "jsn:text", "        value:", "doesn't say how to read"),
        ("^ok$", "[a", "        expect:", "isn't a regular expression"),
        ("$value", "$valu", "      post:", "uses $valu, which nothing sets"),
        ("$session", "$50", "      - get:", "has a dollar that begins no name"),
    ],
)
def test_mistake_inside_a_step_is_named_by_its_own_line(
    command: Command, tmp_path: Path, old: str, new: str, key: str, said: str
) -> None:
    """A promise may have many steps: its first line would leave the reader searching."""
    text = """\
target: {command: [stateless], ready: /healthz}
engine: fake
promises:
  notes:
    kind: register
    do:
      post: /notes/$value
      expect: 201
    see:
      - get: /notes/first/$session
      - get: /notes
        value: "json:text"
        expect: {status: 200, match: "^ok$"}
"""
    assert old in text
    (tmp_path / "plan.yaml").write_text(text.replace(old, new, 1))
    lines = enumerate(text.splitlines(), 1)
    line = next(number for number, each in lines if each.startswith(key))
    code, _, err = command("run", "plan.yaml", "--dry-run")
    assert code == 4
    assert err.startswith(f"error: plan.yaml:{line}: ") and said in err


def test_files_that_are_no_plan_or_no_run_are_refused_in_a_sentence(command: Command, tmp_path: Path) -> None:
    """Missing files (wrong usage), broken YAML, folders that no run wrote."""
    (tmp_path / "broken.yaml").write_text("target: [\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    cases = {
        ("run", "absent.yaml"): (2, "can't read the plan absent.yaml"),
        ("try", str(tmp_path)): (2, "can't read the plan"),
        ("run", "broken.yaml"): (4, "is not YAML"),
        ("run", "list.yaml"): (4, "a plan is a mapping of sections"),
        ("check", "absent"): (2, "there is no run at absent"),
        ("report", "absent"): (2, "there is no run at absent"),
        ("report", str(tmp_path)): (4, "is no run of chaoscheck"),
    }
    for words, (expected, said) in cases.items():
        code, out, err = command(*words)
        assert (code, out) == (expected, ""), words
        assert said in err.splitlines()[0]
        assert "Traceback" not in err
        assert expected == 4 or err.splitlines()[-1].startswith("hint: ")


def test_report_and_check_print_paths_from_the_current_folder(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short, and ready to be pasted; whole where the run lies elsewhere."""
    run = story.write(tmp_path).path
    code, out, _ = command("report", run)
    assert (code, out) == (0, f"{run.relative_to(tmp_path)}/report.html\n")
    assert f"run     {run.relative_to(tmp_path)}\n" in command("check", run)[1]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert command("report", run)[1] == f"{run}/report.html\n"


def test_defect_of_our_own_never_looks_like_a_fail(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's exit code 1 for a crash would say that the service broke a promise."""

    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(actions, "dry_run", break_down)
    code, _, err = command("run", SERVICE / "plan.yaml", "--dry-run")
    assert code == 4
    assert err.splitlines()[-1] == "error: chaoscheck itself failed: RuntimeError: out of order"


def test_module_and_version(command: Command) -> None:
    """`--version` is one line; the package runs as a module, as the tests and the demo do."""
    code, out, _ = command("--version")
    assert (code, len(out.splitlines())) == (0, 1)
    assert (ROOT / "chaoscheck" / "__main__.py").exists()
