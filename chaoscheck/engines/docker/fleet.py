"""All that one run made on a container engine."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from chaoscheck.engines.base import Instance, KillReceipt, Sidecar, SidecarSpec, Site, State
from chaoscheck.engines.docker.containers import Box, Containers, Wanted
from chaoscheck.engines.docker.dress import Dress
from chaoscheck.engines.docker.images import Images, Recipe
from chaoscheck.engines.docker.kill import Signalled, receipt, send_kill, state_of, wait_until_ended
from chaoscheck.engines.docker.listening import listens
from chaoscheck.engines.docker.reach import Reach
from chaoscheck.engines.docker.setup import run_setup
from chaoscheck.engines.docker.stores import Stores
from chaoscheck.engines.docker.times import EngineClock
from chaoscheck.engines.docker.together import together
from chaoscheck.engines.refusal import RefusalWatch
from chaoscheck.errors import PlanError
from chaoscheck.model.places import Address, Incarnation
from chaoscheck.plan.plan import LoadedPlan, Store, Target

KILL_LIMIT_S = 10.0


class DockerFleet:
    """Containers of one run, on a network of their own, their ports pinned and published where they can be dialled."""

    def __init__(self, client: Any, site: Site, reach: Reach) -> None:
        self.kill_limit_s = KILL_LIMIT_S
        self._site = site
        self._plan = site.plan.plan
        self._images = Images(client, site.say, site.folder.parent)
        self._containers = Containers(client, site.run, reach, site.labels)
        self._offset = EngineClock(client, site.clock, far=reach.remote)
        self._stores = Stores(self._containers, site.plan, site.say)
        self._image = ""
        self._shared: dict[str, str] = {}
        self._dress = Dress(container=self._plan.target.container, folder=site.plan.folder)
        self._boxes: dict[str, Box] = {}
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Images, network, volumes, stores (ready), then setup commands. Raises an EnvironmentTrouble."""
        check(self._site.plan)
        target = self._plan.target
        ids = self._get_images()
        self._image = ids.pop("target")
        self._containers.network.make()
        self._shared = {
            self._containers.volume(name): volume.path
            for name, volume in target.volumes.items()
            if volume.scope == "shared"
        }
        self._shared |= self._containers.volumes(target.container)
        self._stores.start(self._images, {name.removeprefix("store "): image for name, image in ids.items()})
        run_setup(
            self._containers,
            target.setup,
            image=self._image,
            env=target.env,
            mounts=self._shared,
            dress=self._dress,
            say=self._site.say,
        )

    def start(self, incarnation: Incarnation) -> Instance:
        """Start an incarnation in a new container; it need not be ready yet. Raises an EnvironmentTrouble."""
        target = self._plan.target
        own = {
            self._containers.volume(name, str(incarnation.slot)): volume.path
            for name, volume in target.volumes.items()
            if volume.scope == "own"
        }
        box = self._containers.start(
            Wanted(
                name=incarnation.name,
                role="instance",
                image=self._image,
                ports=self._published(),
                env={**target.env, "CHAOSCHECK_INSTANCE": incarnation.name},
                mounts={**self._shared, **own},
                aliases=(incarnation.name, *target.container.aliases),
                entrypoint=target.container.entrypoint,
                command=target.container.command,
                dress=self._dress,
            )
        )
        with self._lock:
            self._boxes[box.id] = box
        return Instance(
            incarnation=incarnation,
            address=box.published[target.port],
            inner=Address(box.inner, target.port),
            handle=box.id,
        )

    def state(self, instance: Instance) -> State:
        """How it is now; a container that someone removed isn't running. Raises EngineLost."""
        return state_of(self._containers.inspect(instance.handle), self._offset.now())

    def kill(self, instance: Instance) -> KillReceipt:
        """SIGKILL through the engine, and wait (at most `kill_limit_s`) for the confirmed death."""
        clock = self._site.clock
        watch = RefusalWatch(instance.address, clock, limit_s=self.kill_limit_s + 1).start()
        signal_ns = clock.now_ns()
        objection = self._signal(instance)
        sent = Signalled(signal_ns=signal_ns, returned_ns=clock.now_ns(), objection=objection)
        state = wait_until_ended(lambda: self.state(instance), 0 if objection else self.kill_limit_s)
        seen_ended_ns = clock.now_ns()
        refused_ns = watch.refused_ns(wait_s=0 if state.running else self.kill_limit_s)
        return receipt(sent, state, seen_ended_ns=seen_ended_ns, refused_ns=refused_ns, limit_s=self.kill_limit_s)

    def _signal(self, instance: Instance) -> str:
        return send_kill(self._containers.client, instance.handle, instance.name)

    def logs(self, instance: Instance, lines: int) -> str:
        """The last lines that it printed; "" when it is gone."""
        return self._containers.logs(instance.handle, lines)

    def remove(self, instance: Instance) -> None:
        """Remove its container and anonymous volumes; a second time does nothing."""
        with self._lock:
            self._boxes.pop(instance.handle, None)
        self._containers.remove(instance.handle)

    def listens(self, instance: Instance, port: int) -> bool:
        """Whether something in the container accepts connections on that port of its own."""
        box = self._boxes.get(instance.handle)
        inner = Address(instance.inner.host, port) if self._containers.reach.inner else None
        return listens(inner, box.published.get(port) if box else None)

    def execute(self, instance: Instance, words: Sequence[str]) -> tuple[int, str]:
        """Run a command in the container: exit code and output."""
        return self._containers.execute(instance.handle, words)

    def sidecar(self, spec: SidecarSpec) -> Sidecar:
        """Start a container beside the instances, with `spec.files` in it. Raises an EnvironmentTrouble."""
        image = self._images.get(spec.name, image=spec.image, build=spec.build)
        box = self._containers.start(
            Wanted(
                name=spec.name, role="sidecar", image=image, ports=spec.ports, files=spec.files, aliases=(spec.name,)
            )
        )
        return DockerSidecar(self._containers, box)

    def has_image(self, spec: SidecarSpec) -> bool:
        """Whether that sidecar would start without pulling, or building from nothing."""
        return self._images.here(image=spec.image, build=spec.build)

    def dead_stores(self) -> Mapping[str, str]:
        """Stores that ended or restarted unasked -> what is known of it."""
        return self._stores.dead()

    def close(self) -> None:
        """Remove all that this run made. EnvironmentTrouble for what can't be removed, EngineLost without an engine."""
        self._containers.close()

    def _published(self) -> tuple[int, ...]:
        target = self._plan.target
        extra = {target.ready.tcp} if target.ready.tcp is not None else set()
        return tuple(sorted({target.port, *extra}))

    def _get_images(self) -> dict[str, str]:
        """The images' ids: of "target" and of each "store NAME", made at the same time."""
        target = self._plan.target
        sources: dict[str, Target | Store] = {"target": target}
        sources |= {f"store {name}": store for name, store in self._plan.stores.items()}
        return together(
            {
                what: partial(
                    self._images.get,
                    what,
                    image=source.image or "",
                    build=self._folder(source.build),
                    dockerfile=source.dockerfile,
                    how=Recipe(args=source.build_args, target=source.build_target or ""),
                )
                for what, source in sources.items()
            }
        )

    def _folder(self, build: str | None) -> Path | None:
        return None if build is None else (self._site.plan.folder / build).resolve()


def check(plan: LoadedPlan) -> None:
    """PlanError where the plan asks for what containers can't do, or names a folder that can't be built."""
    target = plan.plan.target
    if not (target.image or target.build):
        raise PlanError(
            "the docker engine runs images, and target has only a command",
            place=plan.place("target"),
            hint="add image or build, or say engine: process",
        )
    builds: dict[tuple[str, ...], tuple[str | None, str]] = {("target",): (target.build, target.dockerfile)}
    builds |= {("stores", name): (store.build, store.dockerfile) for name, store in plan.plan.stores.items()}
    for keys, (build, dockerfile) in builds.items():
        folder = (plan.folder / (build or "")).resolve()
        if build and not (folder / dockerfile).is_file():
            raise PlanError(
                f"{'.'.join(keys)}: there is no {dockerfile} in {folder}",
                place=plan.place(*keys, "build"),
                hint="build is a folder beside the plan",
            )


class DockerSidecar:
    """A running sidecar container."""

    def __init__(self, containers: Containers, box: Box) -> None:
        self._containers = containers
        self._box = box

    def address(self, port: int) -> Address:
        """Where the controller dials that port of it."""
        return self._box.published[port]

    def logs(self) -> str:
        """All it printed so far."""
        return self._containers.logs(self._box.id)

    def running(self) -> bool:
        found = self._containers.inspect(self._box.id)
        return found is not None and bool(found["State"]["Running"])
