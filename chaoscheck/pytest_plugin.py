"""For a service's own test suite: "survives kill -9" as a test. Importing this costs nothing; a run loads the rest."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from chaoscheck.model.verdict import Result

MARK = "chaoscheck"
SUFFIX = ".chaos.yaml"
TURN_S = 3600.0
"""How long a run waits for those of other processes of the suite: two at once would disturb each other."""

_HELP = f"""{MARK}(plan, verdict="PASS", **overrides): run the plan; the test fails unless it ends in that verdict.
The test asks for the fixture chaoscheck_result. Overrides are keys of the plan: engine, seed, instances, image, or
any other with "__" for a dot (chaos__rounds=1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A run of a test: its result, its folder, and the verdict that the test wants (None: it judges by itself)."""

    result: Result
    folder: Path
    wanted: str | None


_RAN: pytest.StashKey[list[Ran]] = pytest.StashKey()


class NotSurvived(AssertionError):
    """A run ended in another verdict than the one that was wanted; its text is the report's essence."""

    def __init__(self, ran: Ran) -> None:
        super().__init__(essence(ran))
        self.ran = ran


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup(MARK, "chaoscheck: survives kill -9")
    group.addoption("--chaoscheck-engine", metavar="ENGINE", help="docker, process or fake, instead of the plan's")
    group.addoption("--chaoscheck-reports", metavar="FOLDER", help="where run folders go (default: reports)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", " ".join(_HELP.split()))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> PlanFile | None:
    """Every `*.chaos.yaml` is a test: its plan must end in PASS."""
    return PlanFile.from_parent(parent, path=file_path) if file_path.name.endswith(SUFFIX) else None


@pytest.fixture
def chaoscheck_run(request: pytest.FixtureRequest) -> Callable[..., Result]:
    """`chaoscheck_run("plan.yaml", chaos__rounds=1)` runs it and returns the result; its verdict is yours to judge."""
    return lambda plan, **overrides: _run(request.node, plan, overrides, wanted=None).result


@pytest.fixture
def assert_survives(request: pytest.FixtureRequest) -> Callable[..., Result]:
    """`assert_survives("plan.yaml")` runs it and fails the test unless it ends in PASS."""

    def survives(plan: str | Path, **overrides: Any) -> Result:
        ran = _run(request.node, plan, overrides, wanted="PASS")
        if ran.result.verdict != "PASS":
            raise NotSurvived(ran)
        return ran.result

    return survives


@pytest.fixture
def chaoscheck_result(request: pytest.FixtureRequest) -> Result:
    """The result of the plan that the test's `chaoscheck` marker names."""
    mark = request.node.get_closest_marker(MARK)
    if mark is None or len(mark.args) != 1:
        raise pytest.UsageError(f'chaoscheck_result needs @pytest.mark.{MARK}("plan.yaml") on the test')
    overrides = dict(mark.kwargs)
    return _run(request.node, mark.args[0], overrides, wanted=str(overrides.pop("verdict", "PASS"))).result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A marked test that never runs its plan would be green without having tested anything."""
    marked = isinstance(item, pytest.Function) and item.get_closest_marker(MARK)
    if marked and "chaoscheck_result" not in getattr(item, "fixturenames", ()):
        pytest.fail(f"the test is marked {MARK} but doesn't ask for the fixture chaoscheck_result", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The verdict decides, and the report says why: no traceback of a test that only asked for it."""
    report = yield
    if report.when != "call":
        return report
    runs = item.stash.get(_RAN, [])
    missed = [ran for ran in runs if ran.wanted not in (None, ran.result.verdict.value)]
    asserted = report.failed and call.excinfo is not None and call.excinfo.errisinstance(AssertionError)
    shown = missed or ([ran for ran in runs if ran.result.verdict != "PASS"] if asserted else [])
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if shown and (report.passed or skipped or asserted):
        report.outcome = "failed"
        said = [essence(ran) for ran in shown]
        if asserted and not missed and call.excinfo is not None:
            said.insert(0, "E   " + "\nE   ".join(str(call.excinfo.value).splitlines()))
        report.longrepr = "\n\n".join(said)
        setattr(report, MARK, shown[0].result.verdict.value)
    if runs:
        from chaoscheck.store import near

        report.sections += [(MARK, f"{ran.result.verdict.value}: {near(ran.folder / 'report.html')}") for ran in runs]
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """What was not shown either way, or couldn't be, is told apart from a broken promise, and counts as failed."""
    verdict = getattr(report, MARK, "")
    letters = {"INVALID": "V", "INCONCLUSIVE": "I", "PASS": "P"}
    return ("failed", letters[verdict], verdict) if report.failed and verdict in letters else None


class PlanFile(pytest.File):
    """A plan that is a test by its name."""

    def collect(self) -> Iterator[PlanItem]:
        item = PlanItem.from_parent(self, name="survives")
        item.add_marker(MARK)
        yield item


class PlanItem(pytest.Item):
    """Its run."""

    def runtest(self) -> None:
        _run(self, self.path, {}, wanted="PASS")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.name} survives"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Our own errors in a sentence."""
        if isinstance(excinfo.value, pytest.fail.Exception):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


def essence(ran: Ran) -> str:
    """Verdict, reason, findings with their curl lines, what is amiss, and where the report is."""
    from chaoscheck.reporting.chain import finding_lines
    from chaoscheck.reporting.text import one_line
    from chaoscheck.reporting.units import measured
    from chaoscheck.store import near

    result = ran.result
    wanted = f" (the test wants {ran.wanted})" if ran.wanted not in (None, "PASS") else ""
    lines = [f"{result.verdict.value}  {one_line(result.reason)}{wanted}"]
    for finding in result.findings[:1]:
        lines += ["", *finding_lines(finding)]
    lines += [f"also: {finding_lines(finding)[0]}" for finding in result.findings[1:]]
    odd = [gate for gate in result.gates if gate.verdict.value in ("INVALID", "INCONCLUSIVE")]
    if odd and result.verdict.value != "FAIL":
        lines += ["", *(f"{gate.verdict.value}  {gate.name}: {one_line(measured(gate))}" for gate in odd)]
    return "\n".join([*lines, "", f"report  {near(ran.folder / 'report.html')}", f"run     {near(ran.folder)}"])


def _run(item: pytest.Item, plan: str | Path, overrides: dict[str, Any], *, wanted: str | None) -> Ran:
    """Run the plan, note it on the test. Our own errors fail the test in a sentence, never skip it."""
    from chaoscheck.errors import ChaosError
    from chaoscheck.plan.load import load_plan
    from chaoscheck.run import Options, run

    config = item.config
    reports = config.rootpath / (config.getoption("--chaoscheck-reports") or "reports")
    engine = config.getoption("--chaoscheck-engine")
    keys = _keys(overrides) | ({("engine",): engine} if engine else {})
    wrong = ""
    try:
        loaded = load_plan(_find(item, plan), overrides=keys)
        with _turn():
            result, folder = run(loaded, Options(reports=reports, command=f"pytest {item.nodeid}", say=print))
    except ChaosError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        place = f"{place}: " if (place := getattr(error, "place", "")) else ""
        wrong = f"INVALID  {place}{error.message}{hint}"
    if wrong:
        # Outside of the handler, lest pytest tell of an error during an error.
        pytest.fail(wrong, pytrace=False)
    ran = Ran(result=result, folder=folder.path, wanted=wanted)
    item.stash.setdefault(_RAN, []).append(ran)
    if result.interrupted:
        raise KeyboardInterrupt
    return ran


def _find(item: pytest.Item, plan: str | Path) -> Path:
    """Beside the test, else from the root of the suite."""
    beside = item.path.parent / plan
    return beside if beside.exists() else item.config.rootpath / plan


def _keys(overrides: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    short = {"image": ("target", "image")}
    return {short.get(name, tuple(name.split("__"))): value for name, value in overrides.items() if name != "verdict"}


@contextmanager
def _turn() -> Iterator[None]:
    """One run at a time on this machine and account, however many processes the suite has."""
    import fcntl

    from chaoscheck.errors import EnvironmentTrouble

    path = Path(tempfile.gettempdir()) / f"chaoscheck-pytest-{os.getuid()}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    until = time.monotonic() + TURN_S
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise EnvironmentTrouble(
                        f"waited {TURN_S:.0f} s for another test's run to end ({path} is locked)",
                        hint="is a pytest process stuck?",
                    ) from None
                time.sleep(0.2)
        yield
    finally:
        os.close(descriptor)
