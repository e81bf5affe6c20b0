"""The docker engine in trouble: images that don't build or aren't there, ports taken, an engine that goes away."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from samples.fleets import Bench, ask, bench, need, new_site, plan_of

from chaoscheck.engines.base import RunsSidecars, SidecarSpec
from chaoscheck.engines.docker import DockerEngine
from chaoscheck.engines.docker.images import Images
from chaoscheck.engines.docker.kill import wait_until_ended
from chaoscheck.engines.docker.labels import NAME, ROLE
from chaoscheck.engines.owner import Owner
from chaoscheck.engines.ports import Ports
from chaoscheck.errors import BuildFailed, EngineLost, EngineUnavailable, ImageMissing, PlanError
from chaoscheck.model.litter import EVENTS, IGNORE

pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def _docker() -> None:
    need("docker")


def test_image_that_does_not_build_says_its_last_lines(tmp_path: Path) -> None:
    """The user reads what the build printed, not our stack."""
    (tmp_path / "Dockerfile").write_text("FROM debian:bookworm-slim\nRUN echo halfway there && exit 9\n")
    with pytest.raises(BuildFailed) as raised, bench("docker", plan_of(build=str(tmp_path)), tmp_path):
        pass
    assert raised.value.message.startswith("target: the image didn't build")
    assert "halfway there" in raised.value.details


def test_runs_that_grow_in_the_build_folder_do_not_make_the_image_anew(tmp_path: Path) -> None:
    """`chaoscheck run` beside the Dockerfile writes its reports there; `COPY .` would take them along."""
    client = docker.APIClient(version="auto")
    (tmp_path / "Dockerfile").write_text("FROM debian:bookworm-slim\nCOPY . /srv/\n")
    runs = tmp_path / "reports"

    def built() -> str:
        return Images(client, lambda line: None, runs).get("target", image="", build=tmp_path)

    first = built()
    try:
        (runs / "1").mkdir(parents=True)
        (runs / ".gitignore").write_text(IGNORE)
        (runs / "1" / EVENTS).write_text("a")
        assert built() == first
        (tmp_path / "app.py").touch()
        other = built()
        assert other != first
        client.remove_image(other, force=True)
    finally:
        client.remove_image(first, force=True)
        client.close()


def test_image_that_is_nowhere_is_missing_with_a_hint(tmp_path: Path) -> None:
    """A wrong name ends in a sentence within seconds, even where no registry answers."""
    plan = plan_of(build=None, image="registry.invalid/no/such:tag")
    with pytest.raises(ImageMissing) as raised, bench("docker", plan, tmp_path):
        pass
    assert "image registry.invalid/no/such:tag is not on this machine" in raised.value.message
    assert "http" not in raised.value.message
    assert raised.value.hint


def test_build_folder_without_dockerfile_is_a_plan_error(tmp_path: Path) -> None:
    """The folder is looked at before the engine is asked."""
    with pytest.raises(PlanError) as raised, bench("docker", plan_of(build=str(tmp_path)), tmp_path):
        pass
    assert "no Dockerfile" in raised.value.message


def test_target_of_a_command_only_is_a_plan_error(tmp_path: Path) -> None:
    """A plan for processes is refused in a sentence."""
    with pytest.raises(PlanError), bench("docker", plan_of(build=None), tmp_path):
        pass


def test_port_that_someone_took_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that gets taken between the choice and the start costs a try, not the run."""
    with socket.socket() as taken, bench("docker", plan_of(), tmp_path) as tiny:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        honest = Ports.take
        offers = iter([taken.getsockname()[1]])
        monkeypatch.setattr(Ports, "take", lambda self: next(offers, None) or honest(self))
        assert tiny.start(1).address.port != taken.getsockname()[1]


def test_everything_made_carries_run_role_and_owner(tmp_path: Path) -> None:
    """What has no label can't be swept: containers, the network and the volumes all have them."""
    with bench("docker", plan_of({"shelf": {"build": "."}}), tmp_path) as tiny:
        tiny.start(1)
        client = docker.from_env()
        mine = {"label": f"chaoscheck.run={tiny.site.run}"}
        labels = [
            *(one.labels for one in client.containers.list(filters=mine)),
            *(one.attrs["Labels"] for one in client.networks.list(filters=mine)),
            *(one.attrs["Labels"] for one in client.volumes.list(filters=mine)),
        ]
        client.close()
    assert sorted((one[ROLE], one[NAME]) for one in labels) == [
        ("instance", "web-1.1"),
        ("network", "net"),
        ("store", "shelf"),
        ("volume", "own-1"),
        ("volume", "shared"),
    ]
    assert {Owner.from_labels(one) for one in labels} == {Owner.me()}


def test_published_ports_are_on_loopback_only(tmp_path: Path) -> None:
    """Nobody but this machine reaches an instance."""
    with bench("docker", plan_of(), tmp_path) as tiny:
        instance = tiny.start(1)
        client = docker.APIClient()
        bindings = client.inspect_container(instance.handle)["NetworkSettings"]["Ports"]["8000/tcp"]
        client.close()
    assert bindings == [{"HostIp": "127.0.0.1", "HostPort": str(instance.address.port)}]


def test_two_runs_at_once_do_not_see_each_other(tmp_path: Path) -> None:
    """Closing one run leaves the other's instances as they are."""
    with bench("docker", plan_of(), tmp_path) as one, bench("docker", plan_of(), tmp_path) as two:
        mine, theirs = one.start(1), two.start(1)
        assert one.killable.kill(mine).confirmed
        one.fleet.close()
        assert two.fleet.state(theirs).running


def test_sidecar_has_its_files_before_it_starts_and_pinned_ports(tmp_path: Path) -> None:
    """A sidecar reads its settings when it begins, and is dialled where it says."""
    spec = SidecarSpec(
        name="beside",
        image="",
        build=Path(plan_of().folder),
        command=(),
        ports=(8000,),
        files={"/etc/beside/settings": "a = 1\n", "/srv/serve.pl": _READER},
    )
    with bench("docker", plan_of(), tmp_path) as tiny:
        assert isinstance(tiny.fleet, RunsSidecars)
        sidecar = tiny.fleet.sidecar(spec)
        assert sidecar.running()
        assert sidecar.address(8000).host == "127.0.0.1"
        for _ in range(100):
            if "a = 1" in sidecar.logs():
                break
            threading.Event().wait(0.05)
        assert "a = 1" in sidecar.logs()


_READER = """$| = 1; open my $in, "<", "/etc/beside/settings"; print <$in>; sleep 60;\n"""


def test_engine_that_goes_away_is_lost_in_every_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked of an engine that is gone, the answer is EngineLost; and the rest is swept once it is back."""
    site = new_site(plan_of(), tmp_path)
    with _relay(tmp_path / "engine.sock") as cut:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'engine.sock'}")
        fleet = DockerEngine().open(site)
        fleet.prepare()
        tiny = Bench(fleet, site)
        instance = tiny.start(1)
        cut()
        for call in (
            lambda: fleet.state(instance),
            lambda: tiny.killable.kill(instance),
            lambda: tiny.logs(instance),
            lambda: tiny.start(2),
            lambda: fleet.remove(instance),
            fleet.close,
        ):
            with pytest.raises(EngineLost):
                call()
        with pytest.raises(EngineUnavailable):
            DockerEngine().open(site)
        assert DockerEngine().available()
    monkeypatch.undo()
    assert any("web-1.1" in line for line in DockerEngine().sweep(run=site.run))


def test_kill_of_a_container_that_ran_out_of_memory_is_unconfirmed(tmp_path: Path) -> None:
    """The kernel's kill for memory looks like ours by its exit code, and is not."""
    with bench("docker", plan_of(), tmp_path) as tiny:
        victim = tiny.start(1)
        client = docker.APIClient()
        client.update_container(victim.handle, mem_limit=32 << 20, memswap_limit=32 << 20)
        client.close()
        with contextlib.suppress(OSError, http.client.HTTPException):
            ask(victim.address, "/eat")
        state = wait_until_ended(lambda: tiny.fleet.state(victim), 5)
        assert (state.running, state.exit_code, state.out_of_memory) == (False, 137, True)
        assert not tiny.killable.kill(victim).confirmed


@contextlib.contextmanager
def _relay(path: Path) -> Iterator[Callable[[], None]]:
    """A socket that leads to the engine until it is cut."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(16)
    pairs: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect("/var/run/docker.sock")
                pairs.extend((near, far))
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=_copy, args=(a, b), daemon=True).start()

    def cut() -> None:
        path.unlink(missing_ok=True)
        for one in (server, *pairs):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield cut
    finally:
        cut()


def _copy(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)
