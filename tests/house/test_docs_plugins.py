"""The plug-in of docs/plugins.md is real: installed as it stands there, it writes its file. Broken ones are refused."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from samples.pages import ROOT, blocks, rows, spans

PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
PLAN = """target: {command: [stateless], ready: /healthz}
engine: fake
promises:
  login:
    kind: session
    do:  {post: /login, json: {user: $user, password: pw}, expect: 200}
    see: {get: /me, value: "json:user", expect: {status: 200, value: $user}}
evidence: {max_loss: 10%}
chaos: {baseline: 1s, settle: 0.5s}
"""


def install(site: Path, code: str) -> str:
    """What `pip install` leaves behind: the module, and a dist-info that names it; the distribution's name."""
    project = tomllib.loads(blocks(PAGE, "toml")[0].text)
    name, version = project["project"]["name"], project["project"]["version"]
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (group, points) = next(iter(project["project"]["entry-points"].items()))
    lines = [f"{point} = {value}" for point, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")
    (site / f"{project['tool']['setuptools']['py-modules'][0]}.py").write_text(code)
    return str(name)


BOOKMARK = """  page:
    kind: bookmark
    do:  {put: /profile, json: {nickname: $value}, expect: 200}
    see: {get: /profile, value: "json:nickname", expect: 200}
"""


def chaoscheck(folder: Path, site: Path, plan: str = PLAN) -> subprocess.CompletedProcess[str]:
    (folder / "plan.yaml").write_text(plan)
    words = [sys.executable, "-m", "chaoscheck", "run", "plan.yaml", "--quiet"]
    env = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with the page's reporter: copied out of it, with nothing else said anywhere."""
    folder = tmp_path_factory.mktemp("ran")
    install(folder / "site", blocks(PAGE, "python")[0].text)
    done = chaoscheck(folder, folder / "site")
    assert done.returncode == 0, done.stderr
    return folder / "reports" / "latest"


def test_plug_in_of_the_page_installed_writes_its_file(ran: Path) -> None:
    """A row for each strike, shams included."""
    with (ran / "kills.csv").open(newline="") as lines:
        table = list(csv.DictReader(lines))
    assert len(table) >= 8
    assert [row["confirmed"] for row in table if row["mode"] != "sham"].count("True") >= 6
    assert {row["mode"] for row in table} == {"burst", "in-flight", "plain", "sham"}


def test_files_of_a_run_are_told_where_reports_are_explained(ran: Path) -> None:
    """All that chaoscheck itself writes into a run's folder."""
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    told = {span.strip("/") for row in rows(text) for span in re.findall(r"`([^`]+)`", row[0])}
    assert told == {path.name for path in ran.iterdir()} - {"kills.csv"}


def test_kind_of_the_page_installed_finds_what_is_broken(tmp_path: Path) -> None:
    """In its own words; a kind that finds nothing would look like a service without defects."""
    site = tmp_path / "site"
    install(site, blocks(PAGE, "python")[1].text)
    plan = PLAN.replace("stateless", "stale-profiles").replace("evidence:", f"{BOOKMARK}evidence:")
    done = chaoscheck(tmp_path, site, plan)
    assert done.returncode == 1, done.stderr
    result = json.loads((tmp_path / "reports" / "latest" / "result.json").read_text())
    assert {(one["promise"], one["kind"]) for one in result["findings"]} == {("page", "bookmark")}
    assert "STALE" in {one["anomaly"] for one in result["findings"]}
    assert all("bookmark" in one["summary"] for one in result["findings"])
    assert [gate["name"] for gate in result["gates"] if gate["verdict"] == "INVALID"] == []
    assert any(one["phase"] == "baseline" for one in result["findings"])


BROKEN = {
    "raises at import": ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    "lacks a part": (
        'from chaoscheck.faults.base import FAULTS\n@FAULTS.add("nap")\nclass Nap:\n    name = "nap"\n',
        "the fault 'nap' has no refusal, strike",
    ),
}


@pytest.mark.parametrize("code, said", BROKEN.values(), ids=BROKEN)
def test_broken_plug_in_is_refused_by_name(code: str, said: str, tmp_path: Path) -> None:
    """One sentence, a hint, exit code 4; nothing was run."""
    site = tmp_path / "site"
    name = install(site, code)
    done = chaoscheck(tmp_path, site)
    assert done.returncode == 4
    assert f"of {name} can't be used: {said}" in done.stderr
    assert f"hint: mend or uninstall {name}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path).glob("reports/*"))


def test_files_that_the_page_names_exist() -> None:
    """Whoever looks there finds something."""
    paths = [span for span in spans(PAGE) if "/" in span and " " not in span and not span.startswith("reports/")]
    assert len(paths) >= 10
    assert [path for path in paths if not (ROOT / path).exists() and not (ROOT / "chaoscheck" / path).exists()] == []
