"""What is shipped beside the code: the action, the GitLab template, the image, the wheel's files."""

from __future__ import annotations

import ast
import fnmatch
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
TEMPLATE = yaml.safe_load((ROOT / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8"))
SIMULATED = """\
target: {command: [%s], ready: /healthz}
engine: fake
promises:
  login:
    kind: session
    do:   {post: /login, json: {user: $user, password: pw}, expect: 200}
    see:  {get: /me, value: "json:user", expect: {status: 200, value: $user}}
evidence: {max_loss: 50%%}
chaos: {baseline: 1s, settle: 0.2s, at_most: 20s, shams: 0}
"""


@pytest.mark.parametrize("schema", ["github-actions", "gitlab-ci"])
def test_ci_file_is_as_its_published_schema_says(schema: str, tmp_path: Path) -> None:
    """Their servers would say so only after a push. GitLab's schema looks into jobs only that are not hidden."""
    path = ROOT / "action.yml"
    if schema == "gitlab-ci":
        path = tmp_path / "jobs.yml"
        shown = {name.lstrip("."): {**job, "script": ["true"]} for name, job in TEMPLATE.items()}
        path.write_text(yaml.safe_dump(shown), encoding="utf-8")
    words = [str(BIN / "check-jsonschema"), "--builtin-schema", f"vendor.{schema}", str(path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_beside_the_code_are_in_the_wheel() -> None:
    """A report without its template, or a balancer without its image, shows only once it is installed elsewhere."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["chaoscheck"]
    home = ROOT / "chaoscheck"
    files = [
        path.relative_to(home) for path in home.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert files
    assert [str(path) for path in files if not any(fnmatch.fnmatch(str(path), one) for one in patterns)] == []
    assert all((folder / "__init__.py").exists() for folder in {path.parent for path in home.rglob("*.py")})


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


def test_libraries_that_the_code_imports_are_its_dependencies() -> None:
    """One that only a developer's environment has is missed where chaoscheck is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[<>=!~\[; ]", line)[0].lower() for line in project["dependencies"]}
    declared |= {
        "urllib3",
        "markupsafe",
        "pytest",
    }  # of requests, of Jinja2, and of the plug-in's host
    owners = packages_distributions()
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "chaoscheck").rglob("*.py")]
    used = {name.partition(".")[0] for tree in trees for name in imported(tree)}
    foreign = used - set(sys.stdlib_module_names) - {"chaoscheck", "_pytest"}
    assert {name for name in foreign if not {one.lower() for one in owners.get(name, [name])} & declared} == set()


def test_image_gets_all_that_it_copies() -> None:
    """What .dockerignore keeps out can't be copied."""
    kept = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for line in copied for name in line.split()} == set(kept)
    assert all((ROOT / name).exists() for name in kept)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A checked-out repository whose job has chaoscheck installed where the action puts it."""
    (tmp_path / "temp" / "chaoscheck" / "bin").mkdir(parents=True)
    for name in ("chaoscheck", "python"):
        (tmp_path / "temp" / "chaoscheck" / "bin" / name).symlink_to(BIN / name)
    return tmp_path


def bash(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a runner calls it: -e, and a failing pipe fails."""
    env = {
        **{name: text for name, text in os.environ.items() if not name.startswith(("GITHUB_", "CHAOSCHECK_"))},
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(folder / "temp"),
        "GITHUB_OUTPUT": str(folder / "outputs"),
        "COLUMNS": "120",
        **variables,
    }
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False)


def step(name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in ACTION["runs"]["steps"] if one["name"] == name)
    return found


@pytest.mark.parametrize(("app", "verdict", "code"), [("stateless", "PASS", 0), ("memory", "FAIL", 1)])
def test_action_ends_in_the_verdict_and_says_where_the_report_is(
    workspace: Path, app: str, verdict: str, code: int
) -> None:
    """The job fails only after the outputs are written and the run is kept; a plan's name is only a name."""
    plan = workspace / "my plan $(touch pwned).yaml"
    plan.write_text(SIMULATED % app)
    inputs = {"PLAN": plan.name, "ENGINE": "fake", "ARGS": "--seed 7 --quiet", "OUT": "runs of it"}
    ran = bash(step("Run chaoscheck")["run"], workspace, **inputs)
    assert ran.returncode == 0, ran.stderr
    outputs = dict(line.split("=", 1) for line in (workspace / "outputs").read_text().splitlines())
    assert (outputs["verdict"], outputs["exit-code"]) == (verdict, str(code))
    assert (workspace / outputs["report"]).is_file()
    assert '"seed": 7' in (workspace / outputs["run"] / "result.json").read_text()
    assert not (workspace / "pwned").exists()
    ended = bash(step("Verdict")["run"], workspace, CODE=outputs["exit-code"], VERDICT=verdict, STRICT="true")
    assert ended.returncode == code


@pytest.mark.parametrize(
    ("code", "strict", "ends"), [("3", "true", 3), ("3", "false", 0), ("4", "false", 4), ("1", "false", 1)]
)
def test_action_forgives_too_little_evidence_only_where_told(
    workspace: Path, code: str, strict: str, ends: int
) -> None:
    """FAIL and INVALID always fail the job."""
    assert bash(step("Verdict")["run"], workspace, CODE=code, VERDICT="", STRICT=strict).returncode == ends


def test_action_without_a_run_has_no_verdict(workspace: Path) -> None:
    """An older run's report must not stand in for one that never began."""
    (workspace / "reports" / "older").mkdir(parents=True)
    (workspace / "reports" / "older" / "result.json").write_text('{"verdict": "PASS"}')
    (workspace / "reports" / "latest").symlink_to("older")
    ran = bash(step("Run chaoscheck")["run"], workspace, PLAN="absent.yaml", ENGINE="", ARGS="", OUT="reports")
    assert ran.returncode == 0
    assert (workspace / "outputs").read_text() == "exit-code=2\n"


def test_action_s_scripts_take_nothing_but_their_environment() -> None:
    """An expression inside a script would run what somebody named a plan."""
    assert [one["name"] for one in ACTION["runs"]["steps"] if "${{" in one.get("run", "")] == []


def test_gitlab_job_runs_the_plan_and_leaves_what_the_template_keeps(workspace: Path) -> None:
    """Each of its scripts as it stands, with an engine that needs no service."""
    job = TEMPLATE[".chaoscheck"]
    (workspace / "plan.yaml").write_text(SIMULATED % "stateless")
    script = "\n".join([*job["before_script"], *job["script"]])
    done = bash(script, workspace, **{**job["variables"], "CI": "true"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(workspace.glob(job["artifacts"]["reports"]["junit"]))) >= 1
    assert "a run can work here" in done.stdout
