"""How a container engine stands before a run: itself, its addresses, its clock, the plan's images, what runs left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from chaoscheck.engines.docker.api import connect, where
from chaoscheck.engines.docker.images import Images
from chaoscheck.engines.docker.labels import runs
from chaoscheck.engines.docker.reach import ANY, Reach, ended, find
from chaoscheck.engines.docker.times import ask_time, measure
from chaoscheck.errors import ChaosError
from chaoscheck.model.checkup import Check, ok, problem, warn
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.plan.plan import Addresses, LoadedPlan

_GB = 1e9
_LITTLE_MEMORY = 1.0 * _GB


def examined(addresses: Addresses, plan: LoadedPlan | None) -> Iterator[Check]:
    """All of it; `plan` is one whose images this engine is to run. Raises EngineUnavailable."""
    client = connect()
    try:
        for look in looks(client, find(client, addresses), plan):
            yield from guarded(look)
    finally:
        client.close()


def looks(client: Any, reach: Reach, plan: LoadedPlan | None) -> list[Callable[[], Iterator[Check]]]:
    """What is looked at, in order; a look that fails is a problem of its own."""
    return [
        partial(_engine, client),
        partial(_addresses, reach),
        partial(_clock, client, reach),
        partial(_images, client, plan),
        partial(_leftovers, client),
    ]


def _engine(client: Any) -> Iterator[Check]:
    info, at = client.info(), where() or "its default socket"
    memory = float(info.get("MemTotal", 0))
    cores, system = info.get("NCPU", "?"), info.get("OperatingSystem", "?")
    seen = f"{info.get('ServerVersion', '?')} at {at}: {system}, {cores} cores, {memory / _GB:.1f} GB"
    if memory < _LITTLE_MEMORY:
        yield warn("engine", seen, "instances may run out of memory: that is not a kill, and makes a run INVALID")
    else:
        yield ok("engine", seen)


def _addresses(reach: Reach) -> Iterator[Check]:
    seen = f"ports are published on {reach.publish} and dialled on {reach.host}: {reach.why}"
    if reach.doubt:
        hint = "say where they can be dialled from here: CHAOSCHECK_PUBLISH and CHAOSCHECK_HOST"
        yield warn("addresses", f"{seen}, but {reach.doubt}", hint)
    elif reach.publish == ANY:
        hint = "name one address of the engine's host if it is not in a network of its own"
        yield warn("addresses", f"{seen}; whoever reaches the engine's host reaches the instances", hint)
    else:
        yield ok("addresses", seen)


def _clock(client: Any, reach: Reach) -> Iterator[Check]:
    clock = MonotonicClock()
    asked, ours = ask_time(client, clock), measure(clock)
    ahead_ms, error_ms = (ours.ns - asked.offset.ns) / 1e6, asked.offset.error_ns / 1e6
    if asked.same_kernel and not reach.remote and abs(ahead_ms) <= error_ms:
        yield ok("clock", f"the engine's is ours, to within {error_ms:.0f} ms")
        return
    way = "ahead of" if ahead_ms > 0 else "behind"
    seen = f"the engine's is {abs(ahead_ms):.0f} ms {way} ours, ± {error_ms:.0f} ms"
    if error_ms > 100:
        yield warn("clock", f"{seen}: deaths are known no better", "it answers slowly: run nearer to the engine")
    else:
        yield ok("clock", f"{seen}; deaths are converted")


def _images(client: Any, plan: LoadedPlan | None) -> Iterator[Check]:
    if plan is None:
        return
    images = Images(client, lambda line: None)
    target = plan.plan.target
    wanted = {"target": (target.image, target.build, target.dockerfile)}
    wanted |= {name: (store.image, store.build, store.dockerfile) for name, store in plan.plan.stores.items()}
    for name, (image, build, dockerfile) in wanted.items():
        if build:
            yield _built(images, f"image of {name}", (plan.folder / build).resolve(), dockerfile)
        elif image:
            yield _pulled(images, f"image of {name}", image)


def _built(images: Images, name: str, folder: Path, dockerfile: str) -> Check:
    if not (folder / dockerfile).is_file():
        return problem(name, f"there is no {dockerfile} in {folder}", "build is a folder beside the plan")
    before = ", and was before" if images.here(build=folder, dockerfile=dockerfile) else ""
    return ok(name, f"is built from {folder}{before}")


def _pulled(images: Images, name: str, image: str) -> Check:
    if images.here(image=image):
        return ok(name, f"{image} is here")
    refusal = images.refusal(image)
    if refusal:
        return problem(name, f"{image} is not here, and can't be pulled: {refusal}", "build or load it first")
    return ok(name, f"{image} is not here, and can be pulled")


def _leftovers(client: Any) -> Iterator[Check]:
    gone = runs(client, cache(partial(ended, client)))
    dead = [run for run in gone if gone[run]]
    others = len(gone) - len(dead)
    living = f"; {others} {'run' if others == 1 else 'runs'} may still go on" if others else ""
    if dead:
        seen = f"of {len(dead)} {'run' if len(dead) == 1 else 'runs'} whose process is gone{living}"
        yield warn("leftovers", seen, "the next run removes them, or chaoscheck clean")
    else:
        yield ok("leftovers", f"no dead runs{living}")


def guarded(look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """What stands in the way of looking is what there is to see."""
    try:
        yield from look()
    except ChaosError as error:
        yield problem("engine", error.message, error.hint)
