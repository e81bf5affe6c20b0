"""What the pages in docs/ say is true: plans load, links lead somewhere, names exist, and what exists is described."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import indent

import pytest
import yaml
from samples.pages import PAGES, ROOT, TEXTS, anchors, blocks, headings, links, named, prose, rows, section, spans

from chaoscheck import plugins
from chaoscheck.balancers.base import BALANCERS
from chaoscheck.checkers.known import anomalies
from chaoscheck.checkers.levels import DEPTH, GROUPS, NAMES, SHOWN
from chaoscheck.engines.base import ENGINES
from chaoscheck.faults.base import FAULTS, Mode
from chaoscheck.model.verdict import Cause, Verdict
from chaoscheck.phases.validate import validate
from chaoscheck.plan.load import load_plan
from chaoscheck.plan.plan import Plan
from chaoscheck.plan.steps import METHODS
from chaoscheck.promises.base import KINDS
from chaoscheck.registry import Registry
from chaoscheck.reporting.base import REPORTERS
from chaoscheck.steps.classify import markdown

plugins.load()
DOCS = ROOT / "docs"
TARGET = "target: {image: service}\n"
LOGIN = """  login:
    kind: session
    do: {post: /login, json: {user: $user}, expect: 200, take: {token: "json:token"}}
    see: {get: /me, headers: {Authorization: Bearer $token}, value: "json:user", expect: {value: $user}}
"""
REVIEWS = """  reviews: {kind: kept, do: {post: /reviews}, see: {get: /reviews}}
"""
STEP = """  shown:
    kind: kept
    do: {post: /}
    see:
"""
SECTIONS = {field.alias or name for name, field in Plan.model_fields.items()}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def as_plan(text: str) -> str:
    """A whole plan of a block: sections of one, promises, or one step."""
    keys = set(yaml.safe_load(text))
    if keys & set(METHODS):
        return f"{TARGET}promises:\n{LOGIN}{STEP}{indent(text, ' ' * 6)}"
    if not keys & SECTIONS:
        login = "" if "kind: session" in text else LOGIN
        return f"{TARGET}promises:\n{login}{indent(text, '  ')}"
    head = "" if "target" in keys else TARGET
    return head + text + ("" if "promises" in keys else f"promises:\n{LOGIN}{REVIEWS}")


YAML = [
    pytest.param(block.text, id=f"{named(path)}:{block.line}")
    for path in PAGES
    for block in blocks(path.read_text(encoding="utf-8"), "yaml")
]


@pytest.mark.parametrize("text", YAML)
def test_yaml_block_loads_as_a_plan(text: str, tmp_path: Path) -> None:
    """Whole plans, sections of one, promises or a step: what is copied is accepted. (Other files' blocks are yml.)"""
    (tmp_path / "compose.yaml").write_text("services: {shop: &shop {image: shop, ports: [8000]}, web: *shop}\n")
    (tmp_path / "users.csv").write_text("user,password\n" + "".join(f"user{n},pw\n" for n in range(2000)))
    path = tmp_path / "plan.yaml"
    path.write_text(as_plan(text))
    validate(load_plan(path, environment={}))


def test_there_are_yaml_blocks() -> None:
    """An empty list would make the test above vacuous."""
    assert len(YAML) >= 30


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_other_yaml_is_yaml(path: Path) -> None:
    """CI files and the like can be read, and are no plans in disguise."""
    for block in blocks(path.read_text(encoding="utf-8"), "yml"):
        assert isinstance(yaml.safe_load(block.text), dict), f"{named(path)}:{block.line}"


def test_action_is_called_with_inputs_that_it_has() -> None:
    """And its outputs are read by their names."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    text = page("ci.md")
    calls = [
        step
        for block in blocks(text, "yml")
        for job in yaml.safe_load(block.text).get("jobs", {}).values()
        for step in job["steps"]
        if "/chaoscheck@" in step.get("uses", "")
    ]
    assert calls
    assert {name for call in calls for name in call["with"]} <= set(action["inputs"])
    assert set(re.findall(r"outputs\.([a-z-]+)", text)) <= set(action["outputs"])


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_relative_links_lead_to_a_file_and_a_heading(path: Path) -> None:
    """Of every page of the project, pictures and anchors included."""
    text = path.read_text(encoding="utf-8")
    for link in links(text):
        if "://" in link or link.startswith("mailto:"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{named(path)}: {link}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{named(path)}: {link}"


def test_every_page_is_on_the_map() -> None:
    """Whoever opens docs/ finds each page from there."""
    known = {(DOCS / link.partition("#")[0]).resolve() for link in links(page("README.md"))}
    assert [named(path) for path in PAGES if path.resolve() not in known and path.name != "README.md"] == []


def test_outcome_table_is_the_code_s() -> None:
    """The docs print it from the table that decides."""
    text = page("verdict.md")
    assert text[text.index("<!-- outcomes -->\n") :].startswith(f"<!-- outcomes -->\n{markdown()}<!-- /outcomes -->")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_its_page(kind: str) -> None:
    """What a kind promises, and how it is broken, is written down."""
    text = page(f"kinds/{kind}.md")
    assert f"kind: {kind}" in text
    assert {name for name in KINDS.get(kind).words.broken if f"`{name}`" not in text} == set()
    table = rows(section(text, "## What breaks it"))
    assert {name for row in table for name in re.findall(r"`(\w+)`", row[0])} - anomalies(kind) == set()


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_anomalies_that_a_page_names_exist(path: Path) -> None:
    """What is written in capitals outside of code is a finding's name."""
    words = re.sub(r"`[^`\n]+`", "", prose(path.read_text(encoding="utf-8")))
    known = {name for kind in KINDS for name in anomalies(kind)}
    assert set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", words)) - known == set()


PLUGINS: list[tuple[str, Registry]] = [  # type: ignore[type-arg]
    ("engines.md", ENGINES),
    ("balancers.md", BALANCERS),
    ("faults.md", FAULTS),
]


@pytest.mark.parametrize(("name", "registry"), PLUGINS, ids=lambda value: value if isinstance(value, str) else "")
def test_registered_plug_ins_and_headings_are_the_same(name: str, registry: Registry) -> None:  # type: ignore[type-arg]
    """Each has a section of its own there, and none is invented."""
    told = {heading.strip("`") for heading in re.findall(r"^## (`[a-z-]+`)$", page(name), flags=re.M)}
    assert told == set(registry)


def test_every_reporter_s_file_is_described() -> None:
    """What a run's folder holds is told where reports are explained."""
    for name in REPORTERS:
        assert f"`{REPORTERS.get(name)().file}`" in page("report.md")


def test_modes_of_a_strike_are_described() -> None:
    """Each in the table of the faults, and no other."""
    table = rows(section(page("faults.md"), "## Modes"))
    assert {row[0].strip("`") for row in table} == {mode.value for mode in Mode}


def test_causes_are_described() -> None:
    """Each cause that a finding can have says what evidence it stands on."""
    table = rows(section(page("verdict.md"), "## Causes"))
    assert {row[0] for row in table} == {cause.value for cause in Cause}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_exit_codes_are_the_program_s(verdict: Verdict) -> None:
    """A CI job is written by that table."""
    table = {row[1]: row[0] for row in rows(section(page("commands.md"), "## Exit codes"))}
    assert table[verdict.value] == str(verdict.exit_code)


JUDGES = ("assumptions", "coverage", "budget", "recovery", "judge")


def gate_names() -> Iterator[str]:
    """Names of the gates as the code writes them; what is filled in stands as PROMISE and so on."""
    for module in JUDGES:
        tree = ast.parse((ROOT / "chaoscheck" / "checkers" / f"{module}.py").read_text(encoding="utf-8"))
        texts = {
            target.id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
            called = call.func.id if isinstance(call.func, ast.Name) else ""
            if called == "gate" and call.args:
                yield from _names(call.args[0], texts)
            elif called == "Gate":
                yield from (name for word in call.keywords if word.arg == "name" for name in _names(word.value, texts))


def _names(node: ast.expr, texts: Mapping[str, object]) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.Name) and isinstance(texts.get(node.id), str):
        yield str(texts[node.id])
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)


def test_every_gate_is_explained() -> None:
    """Whoever reads a gate's name in a report finds what it means and what to do."""
    told = {re.sub(r"\b(PROMISE|ACTION)\b", "*", span) for span in spans(page("reasons.md"))}
    names = {name.strip() for name in gate_names()} - {"*"}
    assert len(names) >= 25
    assert {name for name in names if name not in told} == set()


def test_gates_of_the_docs_exist() -> None:
    """A name that nobody will ever see helps nobody."""
    text = page("reasons.md")
    table = [row for heading in ("## INVALID", "## INCONCLUSIVE") for row in rows(section(text, heading))]
    told = {re.sub(r"\b(PROMISE|ACTION)\b", "*", row[0].strip("`")) for row in table}
    assert told - {name.strip() for name in gate_names()} - {"*: its check can fail", "*: its check can hold"} == set()


def test_levels_that_gates_may_have_are_told() -> None:
    """As the code allows them, and no more."""
    rules = {name: {level.value for level in allowed} for name, allowed in {**GROUPS, **NAMES}.items()}
    rules |= {name: {level.value for level in SHOWN} for name in DEPTH}
    told = {
        name: set(re.findall(r"`(\w+)`", row[1]))
        for row in rows(section(page("gates.md"), "## How much a gate decides"))
        for name in re.findall(r"`([^`]+)`", row[0])
    }
    assert {name: told.get(name) for name in rules} == rules
    assert all(told[name] == {"error"} for name in told.keys() - rules.keys())


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_pages_keep_their_form(path: Path) -> None:
    """One title; lines that a terminal shows; short enough to be read."""
    text = path.read_text(encoding="utf-8")
    assert len([line for line in prose(text).splitlines() if line.startswith("# ")]) == 1
    assert headings(text)
    assert [line for line in prose(text).splitlines() if len(line) > 140 and not line.startswith("|")] == []


RECIPES = sorted((ROOT / "targets" / "recipes").glob("*/*.yaml"))
QUOTE = re.compile(r"<!-- (targets/\S+\.yaml) -->\n```yaml\n(.*?)```", flags=re.S)
QUOTED = [
    pytest.param(*found, id=f"{named(path)}: {found[0]}")
    for path in PAGES
    for found in QUOTE.findall(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("name", "text"), QUOTED)
def test_plan_that_a_page_quotes_is_the_file_s(name: str, text: str) -> None:
    """What was run is what is shown."""
    assert text in (ROOT / name).read_text(encoding="utf-8")


def test_recipes_quote_their_plans() -> None:
    """Each recipe shows one that exists."""
    assert {path.stem for path in (DOCS / "recipes").glob("*.md")} <= {
        path.stem for path in (DOCS / "recipes").glob("*.md") if "<!-- targets/" in path.read_text(encoding="utf-8")
    }


@pytest.mark.parametrize("path", RECIPES, ids=named)
def test_recipe_loads_and_says_what_it_must_end_in(path: Path) -> None:
    """A defect names its promise, finding and cause; each stands in its page and in the folder's table."""
    loaded = load_plan(path, environment={})
    validate(loaded)
    expect = loaded.plan.expect
    assert expect is not None and loaded.plan.because
    assert (expect.verdict == "PASS") or (expect.promise and expect.finding and expect.cause)
    name = "spring" if path.parent.name == "tomcat" else path.parent.name
    assert f"`{path.name}`" in page(f"recipes/{name}.md")
    assert f"`{path.stem}`" in (path.parents[1] / "README.md").read_text(encoding="utf-8")
