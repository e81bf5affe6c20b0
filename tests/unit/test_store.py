"""A run's folder: what was written comes back, and what isn't a run is refused in a sentence."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from samples import results, story

from chaoscheck import store
from chaoscheck.errors import EnvironmentTrouble, HistoryDamaged
from chaoscheck.model import events as ev
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.ops import Op
from chaoscheck.model.verdict import Verdict
from chaoscheck.plan.load import load_plan
from chaoscheck.steps.blacken import blacken
from chaoscheck.store import RunFolder, decode_result, encode_result, load, run_id


@pytest.mark.parametrize("verdict", list(Verdict))
def test_result_written_and_read_is_equal(verdict: Verdict) -> None:
    """decode is the inverse of encode, hostile text and lone surrogates included."""
    made = results.result(verdict)
    assert decode_result(encode_result(made)) == made


def test_result_encoded_twice_same_bytes() -> None:
    """The bytes are a function of the result alone."""
    assert encode_result(results.result(Verdict.FAIL)) == encode_result(results.result(Verdict.FAIL))


def test_result_with_infinite_number_is_null_in_json() -> None:
    """JSON has no infinity: the file stays readable by every parser, and reads back as not a number."""
    made = results.result()
    made = replace(made, promises=(replace(made.promises[0], bound_exposure=math.inf),))
    assert json.loads(encode_result(made))["promises"][0]["bound_exposure"] is None
    assert math.isnan(decode_result(encode_result(made)).promises[0].bound_exposure)


def test_log_that_cannot_be_masked_is_named_and_the_others_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody passes on what he takes for masked."""
    folder = RunFolder(tmp_path)
    (folder.logs / "deep").mkdir(parents=True)
    for name in ("a.log", "b.log", "deep/c.log"):
        (folder.logs / name).write_text("is hunter2-long")

    def full(path: Path, secrets: tuple[str, ...]) -> int:
        if path.name == "a.log":
            raise OSError(errno.EIO, "the disk is ill")
        return blacken(path, secrets)

    monkeypatch.setattr(store, "blacken", full)
    with pytest.raises(EnvironmentTrouble, match=r"secrets may stand in .*a\.log.*the disk is ill"):
        folder.blacken_logs(iter(["hunter2-long"]))
    assert [(folder.logs / name).read_text()[3:] for name in ("b.log", "deep/c.log")] == ["*" * 12] * 2


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"version": 99}, "version 99"),
        ({"verdict": "GREAT"}, "no Verdict"),
        ({"gates": "many"}, "Result.gates"),
        ({"seed": "7"}, "Result.seed"),
        ({"interrupted": 0}, "Result.interrupted"),
    ],
)
def test_result_damaged_names_the_place(change: dict[str, object], names: str) -> None:
    """A foreign or damaged result is refused, and the sentence says where."""
    raw = json.loads(encode_result(results.result())) | change
    with pytest.raises(HistoryDamaged, match=names) as refused:
        decode_result(json.dumps(raw).encode())
    assert "chaoscheck check" in refused.value.hint


def test_result_missing_field_is_refused() -> None:
    """No field of a verdict is ever guessed."""
    raw = json.loads(encode_result(results.result()))
    del raw["reason"]
    with pytest.raises(HistoryDamaged, match="reason"):
        decode_result(json.dumps(raw).encode())


def test_folder_loaded_gives_what_was_written(tmp_path: Path) -> None:
    """Plan, events, history and the balancer's log come back equal."""
    told = story.tell_events(7, story.strikes(7))
    run = story.write(tmp_path, events=told)
    back = load(run.path)
    assert back.events() == told
    assert back.plan().plan == load_plan(tmp_path / "memory-sticky.yaml", environment={}).plan
    assert back.plan().text == story.PLAN
    assert [path.name for path in back.histories()] == ["w1.ndjson", "w2.ndjson"]
    assert list(back.balancer()) == [BalancerRow("w1-0-0", "web-0.1", 200, "--", 0)]
    ops = [row for row in back.rows() if isinstance(row, Op)]
    lines = [line for path in back.histories() for line in path.read_text().splitlines() if line.startswith('["d"')]
    assert len(ops) == len(lines) > 1000


def test_latest_points_to_the_newest_run(tmp_path: Path) -> None:
    """`reports/latest` follows each new run."""
    loaded = load_plan(story.write(tmp_path).path / "plan.yaml", environment={})
    RunFolder.create(tmp_path / "reports", "20261122-999999-newer-0000", loaded).close()
    assert load(tmp_path / "reports" / "latest").run == "20261122-999999-newer-0000"


def test_new_folder_of_runs_is_kept_from_git_and_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """Runs hold answers of the service; but what a project ignores in its own folder is its own business."""
    story.write(tmp_path, traffic=False)
    assert (tmp_path / "reports" / ".gitignore").read_text().splitlines()[-1] == "*"
    (tmp_path / "used" / "reports").mkdir(parents=True)
    (tmp_path / "used" / "reports" / "mine.txt").touch()
    story.write(tmp_path / "used", traffic=False)
    assert not (tmp_path / "used" / "reports" / ".gitignore").exists()


def test_latest_without_symlinks_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where symlinks can't be made, `latest` still leads to the run."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no symlinks here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    run = story.write(tmp_path, traffic=False)
    latest = tmp_path / "reports" / "latest"
    assert latest.is_file() and not latest.is_symlink()
    assert load(latest).path == run.path.resolve()


def test_latest_taken_by_a_folder_does_not_stop_the_run(tmp_path: Path) -> None:
    """Something of the user's own stays where it is, and the run is written all the same."""
    (tmp_path / "reports" / "latest" / "mine").mkdir(parents=True)
    run = story.write(tmp_path, traffic=False)
    assert load(run.path).events()
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == [story.RUN, "latest"]


def test_run_written_twice_under_one_name_is_refused(tmp_path: Path) -> None:
    """A run never writes into another's folder."""
    story.write(tmp_path, traffic=False)
    with pytest.raises(FileExistsError):
        story.write(tmp_path, traffic=False)


@pytest.mark.parametrize("missing", ["plan.yaml", "plan.json", "events.ndjson"])
def test_folder_without_a_part_is_refused_with_hint(tmp_path: Path, missing: str) -> None:
    """A foreign folder is named as such."""
    run = story.write(tmp_path, traffic=False)
    (run.path / missing).unlink()
    with pytest.raises(HistoryDamaged, match=missing) as refused:
        load(run.path)
    assert refused.value.hint


def test_folder_that_is_not_there_is_refused_with_hint(tmp_path: Path) -> None:
    """`check` of a path that doesn't exist ends in a sentence."""
    with pytest.raises(HistoryDamaged, match="no run at") as refused:
        load(tmp_path / "nowhere")
    assert refused.value.hint


def test_plan_damaged_is_refused(tmp_path: Path) -> None:
    """A plan.json of another version or make isn't guessed at."""
    run = story.write(tmp_path, traffic=False)
    (run.path / "plan.json").write_text('{"target": {}}')
    with pytest.raises(HistoryDamaged, match="plan"):
        load(run.path).plan()


def test_events_cut_off_in_the_last_line_are_read_without_it(tmp_path: Path) -> None:
    """A crash while writing costs the last event, no more."""
    run = story.write(tmp_path, traffic=False)
    whole = run.events()
    path = run.path / "events.ndjson"
    path.write_bytes(path.read_bytes()[:-7])
    assert load(run.path).events() == whole[:-1]


@pytest.mark.parametrize("bad", ["{not json", '{"event": "Invented", "t_ns": 1}', "[]"])
def test_events_damaged_in_the_middle_are_refused(tmp_path: Path, bad: str) -> None:
    """A hole in what the controller saw is never read as the end of the run."""
    run = story.write(tmp_path, traffic=False)
    path = run.path / "events.ndjson"
    lines = path.read_text().splitlines()
    lines[5] = bad
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(HistoryDamaged, match=r"events\.ndjson"):
        load(run.path).events()


def test_result_not_written_yet_is_refused_with_hint(tmp_path: Path) -> None:
    """A run that was cut off has no result, and the hint says how to get one."""
    with pytest.raises(HistoryDamaged, match=r"no result\.json") as refused:
        story.write(tmp_path, traffic=False).result()
    assert "check" in refused.value.hint


def test_events_survive_a_kill_right_after_they_were_written(tmp_path: Path) -> None:
    """Each event is with the operating system when `on` returns: a -9 of the controller loses none."""
    run = story.write(tmp_path, events=[], traffic=False)
    program = f"""
        import os, signal
        from pathlib import Path
        from chaoscheck.model.events import PhaseBegan
        from chaoscheck.store import RunFolder
        folder = RunFolder(Path({str(run.path)!r}))
        for t in range(50):
            folder.on(PhaseBegan(t_ns=t, phase="chaos"))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env={**os.environ, "PYTHONPATH": str(root)}, timeout=60
    )
    assert ended.returncode == -signal.SIGKILL
    assert load(run.path).events() == [ev.PhaseBegan(t_ns=t, phase="chaos") for t in range(50)]


def test_run_id_tells_when_and_which_plan() -> None:
    """Sortable by time, readable, safe as a file name."""
    when = datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC)
    assert run_id(Path("plans/Shop Redis!.yaml"), when, "1a2b") == "20261122-101530-shop-redis-1a2b"


def test_settings_that_the_environment_gave_are_not_saved(tmp_path: Path) -> None:
    """What stands in the plan's own text is as open as that is; the rest may be a secret."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "target: {image: i, env: {OPEN: yes-it-is, URL: '${URL}'}}\n"
        "stores: {db: {image: d, env: {PW: '${PW}'}}}\n"
        "promises: {p: {kind: kept, do: {post: /}, see: {get: /}}}\n"
    )
    loaded = load_plan(plan, environment={"URL": "db://u:hidden@h", "PW": "hidden"})
    with RunFolder.create(tmp_path, "run", loaded) as folder:
        saved = (folder.path / "plan.json").read_text()
        again = folder.plan().plan
    assert "hidden" not in saved
    assert again.target.env == {"OPEN": "yes-it-is", "URL": "***"}
    assert again.model_copy(update={"target": loaded.plan.target, "stores": loaded.plan.stores}) == loaded.plan


def test_secret_of_the_environment_is_nowhere_in_what_is_saved(tmp_path: Path) -> None:
    """Not in headers, credentials, commands, checks and passwords either: a run's folder is what CI keeps."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "target:\n"
        "  image: i\n"
        "  headers: {X-Gateway: '${S}', X-Open: as-written}\n"
        "  auth: 'admin:${S}'\n"
        "  setup: ['migrate --dsn ${S}']\n"
        "  container: {command: 'serve --key ${S}', entrypoint: ['sh', '${S}']}\n"
        "stores: {db: {image: d, container: {command: 'db --pw ${S}'}, ready: {command: [ping, '${S}']}}}\n"
        "accounts: {template: u-$n, password: '${S}'}\n"
        "secrets: ['${S}']\n"
        "promises: {p: {kind: kept, do: {post: /}, see: {get: /}}}\n"
    )
    loaded = load_plan(plan, environment={"S": "hidden-1"})
    assert loaded.plan.secrets == ("hidden-1",)
    with RunFolder.create(tmp_path, "run", loaded) as folder:
        again = folder.plan().plan
    assert not [path for path in folder.path.rglob("*") if path.is_file() and "hidden-1" in path.read_text()]
    assert again.target.headers == {"X-Gateway": "***", "X-Open": "as-written"}
    assert (again.target.auth, again.accounts.password) == ("admin:***", "***")
