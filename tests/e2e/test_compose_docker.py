"""A scaled copy of a compose project: what the file says is what runs, and the user's own files stay as they are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from samples.desk import ROOT, Desk
from samples.fleets import bench, need

from chaoscheck.engines.base import Instance
from chaoscheck.engines.docker.labels import only
from chaoscheck.plan.load import load_plan

pytestmark = pytest.mark.docker
EXAMPLE = ROOT / "targets" / "compose"


@pytest.fixture
def client() -> Iterator[Any]:
    need("docker")
    made = docker.APIClient(version="auto")
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path: Path, client: Any) -> Iterator[Desk]:
    made = Desk(folder=tmp_path, runtime=tmp_path / "runtime")
    yield made
    made.close()


def test_try_of_the_example_holds_and_leaves_nothing(desk: Desk, client: Any) -> None:
    """The shop with its Redis as compose.yaml has them; the proxy, on which nothing depends, is never started."""
    ended = desk.run("try", EXAMPLE / "plans" / "copy.yaml")
    assert ended.code == 0, ended.said
    assert len(ended.result().matrix) == 2 * 9
    assert "compose: store redis is redis of compose.yaml:" in ended.said
    assert "shop depends on none of: proxy; not started" in ended.said
    assert client.containers(all=True, filters=only(ended.run.name)) == []


PROJECT = """
services:
  app:
    build: {context: tiny, args: {UNUSED: "1"}}
    entrypoint: [sh, -c]
    command: ["echo $$WHO > /tmp/who; exec perl serve.pl"]
    environment: {WHO: me, SHARED_DIR: /shared, OWN_DIR: /own}
    user: "0"
    working_dir: /srv
    hostname: desk
    ports: ["9999:8000"]
    volumes: [./shared:/shared, ./own.txt:/own/own:ro, /anonymous, data:/data, fixed:/fixed:ro]
    tmpfs: /scratch
    secrets: [pin]
    configs: [{source: words, target: /etc/words}]
    extra_hosts: ["elsewhere:192.0.2.7"]
volumes: {data: {}, fixed: {}}
secrets: {pin: {file: pin.txt}}
configs: {words: {content: "some words"}}
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "tests" / "samples" / "tiny_service", folder / "tiny")
    (folder / "shared").mkdir()
    (folder / "shared" / "shared").write_text("from here\n")
    for name, text in (("own.txt", "mine\n"), ("pin.txt", "1234"), ("compose.yaml", PROJECT)):
        (folder / name).write_text(text)
    (folder / "plan.yaml").write_text(
        "target: {compose: compose.yaml, service: app, ready: /healthz}\n"
        "promises: {p: {kind: kept, do: {post: /}, see: {get: /}}}\n"
    )
    return folder


def test_what_the_file_mounts_and_says_is_in_the_container(here: Path, client: Any, tmp_path: Path) -> None:
    """Each sort of mount holds what it should; what instances write never reaches the user's files."""
    with bench("docker", load_plan(here / "plan.yaml", environment={}), tmp_path) as opened:
        one, other = opened.start(1), opened.start(2)

        def told(where: Instance, words: str) -> str:
            code, printed = opened.inside.execute(where, ["sh", "-c", words])
            assert code == 0, printed
            return printed.strip()

        assert told(one, "cat /tmp/who; hostname; cat /run/secrets/pin /etc/words") == "me\ndesk\n1234some words"
        assert told(one, "cat /shared/shared /own/own; id -u; grep elsewhere /etc/hosts | cut -f1") == (
            "from here\nmine\n0\n192.0.2.7"
        )
        assert "/scratch" in told(one, "grep ' tmpfs ' /proc/mounts")
        assert opened.inside.execute(one, ["touch", "/fixed/x"])[0] != 0
        told(one, "echo new > /shared/shared; echo new > /anonymous/a; echo new > /data/d; echo new > /own/own")
        assert told(other, "cat /shared/shared /data/d /own/own; ls /anonymous") == "new\nnew\nmine"
        assert opened.killable.kill(one).confirmed
        third = opened.start(1, 2)
        assert told(third, "cat /shared/shared /own/own; ls /anonymous") == "new\nmine"
    assert (here / "shared" / "shared").read_text() == "from here\n"
    assert (here / "own.txt").read_text() == "mine\n"
