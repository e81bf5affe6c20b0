"""doctor: what it looks at, what it calls a problem, and that it is right about it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from chaoscheck.checkup import machine
from chaoscheck.cli.doctor import lines
from chaoscheck.model.checkup import ok, problem
from tests.cli.conftest import Command

NO_ENGINE = "tcp://127.0.0.1:9"
PLAN = """\
target: {command: [python3, -m, http.server, $PORT], ready: /, env: {TOKEN: "${SHOP_TOKEN}", MODE: "${MODE:-test}"}}
accounts: {template: "user-$run-$n", password: "${SHOP_PASSWORD}"}
promises:
  page: {kind: kept, do: {put: /x, expect: 201}, see: {get: /x, expect: 200}}
"""


@pytest.fixture
def doctor(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs it where no engine answers."""
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "plan.yaml").write_text(PLAN)

    return partial(command, "doctor")


def checks(said: str) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["level"], one["seen"]) for one in json.loads(said)["checks"]}


def test_doctor_tells_all_variables_that_are_not_set_at_once(doctor: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run would name one, and the next one after the next try; a default needs none."""
    code, out, _ = doctor("plan.yaml", "--json")
    level, seen = checks(out)["plan"]
    assert (code, level) == (4, "problem")
    assert "SHOP_PASSWORD, SHOP_TOKEN" in seen
    assert "MODE" not in seen
    monkeypatch.setenv("SHOP_PASSWORD", "a")
    monkeypatch.setenv("SHOP_TOKEN", "b")
    assert checks(doctor("plan.yaml", "--json")[1])["plan"][0] == "ok"


def test_doctor_without_the_plan_s_engine_is_a_problem_with_where_it_looked(doctor: Command) -> None:
    """Exit code 4 is what a run would end in."""
    lines_of_plan = PLAN.replace("command: [python3, -m, http.server, $PORT]", "image: shop").splitlines()
    Path("plan.yaml").write_text("\n".join([lines_of_plan[0].partition(", env")[0] + "}", *lines_of_plan[2:]]))
    code, out, _ = doctor("plan.yaml", "--json")
    assert code == 4
    assert checks(out)["engine"][0] == "problem"
    assert "127.0.0.1:9" in checks(out)["engine"][1]
    assert json.loads(out)["usable"] is False


def test_doctor_without_a_plan_is_content_with_one_engine(doctor: Command) -> None:
    """Local processes need no containers, so that none answer is a warning; asked for, it is a problem."""
    code, out, _ = doctor("--json")
    assert code == 0
    assert checks(out)["docker engine"][0] == "warn"
    code, out, _ = doctor("--json", "--engine", "docker")
    assert (code, checks(out)["docker engine"][0]) == (4, "problem")


def test_doctor_of_a_plan_that_can_t_be_used_gives_its_line(doctor: Command) -> None:
    """As a run would, but all else that is amiss is told, too."""
    Path("plan.yaml").write_text(PLAN.replace("kind: kept", "kind: kapt"))
    code, out, _ = doctor("plan.yaml", "--out", "plan.yaml/sub", "--json")
    assert code == 4
    assert checks(out)["plan"][0] == checks(out)["reports"][0] == "problem"


def test_doctor_of_no_plan_file_is_wrong_usage(doctor: Command) -> None:
    """There is nothing that could be found wanting."""
    code, out, err = doctor("absent.yaml")
    assert (code, out) == (2, "")
    assert "absent.yaml" in err


def test_doctor_fits_80_columns_and_ends_in_a_sentence(doctor: Command) -> None:
    """Levels stand at the left edge; the last line says what it comes to."""
    code, out, _ = doctor("plan.yaml")
    assert code == 4
    assert max(map(len, out.splitlines())) <= 80
    assert out.splitlines()[0].startswith("PROBLEM  plan ")
    assert out.rstrip().endswith("a run could not work here.")


def test_check_with_control_characters_can_t_move_the_cursor() -> None:
    """What an engine or a plan says is shown, never obeyed."""
    (head, hint) = lines(problem("engine", "gone\x1b[2J", "look\x07"), 80)
    assert "\x1b" not in head and "\x07" not in hint
    assert "gone" in head and "hint: look" in hint
    assert lines(ok("a", ""), 80) == [f"{'ok':<9}{'a':<17}"]


def test_open_files_below_what_the_users_need_are_a_problem(doctor: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each user holds connections; to run out of them looks like a service that refuses."""
    monkeypatch.setattr(machine.resource, "getrlimit", lambda what: (256, 256))
    assert checks(doctor("--json")[1])["open files"][0] == "problem"
    monkeypatch.setattr(machine.resource, "getrlimit", lambda what: (machine.resource.RLIM_INFINITY,) * 2)
    assert checks(doctor("--json")[1])["open files"][0] == "ok"


def test_machine_that_is_busy_already_is_a_warning(doctor: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runs would end as INVALID: the load generator starves before the service does."""
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (900.0, 0.0, 0.0))
    assert checks(doctor("--json")[1])["cores"][0] == "warn"
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (0.1, 0.0, 0.0))
    assert checks(doctor("--json")[1])["cores"][0] == "ok"


@pytest.mark.parametrize(
    ("limit", "free"), [("max\n", 2048e3), ("1024000\n", 1024e3), (None, 2048e3)], ids=["none", "lower", "no file"]
)
def test_memory_is_what_this_container_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str | None, free: float
) -> None:
    """The host's free memory is no help where the container's limit is lower."""
    (tmp_path / "meminfo").write_text("MemTotal: 9999 kB\nMemAvailable:    2000 kB\n")
    if limit is not None:
        (tmp_path / "max").write_text(limit)
    monkeypatch.setattr(machine, "_LIMITS", (tmp_path / "max",))
    assert machine.available_memory(tmp_path / "meminfo") == free
    assert machine.available_memory(tmp_path / "absent") is None
