"""The plan's sections, as they stand in plan.yaml."""

from __future__ import annotations

import ipaddress
import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from chaoscheck.model.places import dialled
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.gating import AnyLevel, Known
from chaoscheck.plan.steps import Auth, Expectation, Promise, Section
from chaoscheck.plan.units import PerSecond, Seconds, Share


class Volume(Section):
    """A volume at `path`: one shared by all instances, or one of each slot's own that outlives its incarnations."""

    path: str
    scope: Literal["shared", "own"] = "shared"


def _volume(raw: Any) -> Any:
    return {"path": raw} if isinstance(raw, str) else raw


AnyVolume = Annotated[Volume, BeforeValidator(_volume, json_schema_input_type=str | Volume)]


class Ready(Section):
    """When something may get traffic: `get` answers as expected (2xx by default), a port accepts, a command ends 0."""

    get: Annotated[str | None, Field(pattern="^/")] = None
    tcp: int | None = None
    command: tuple[str, ...] | None = None
    expect: Expectation | None = None
    within: Seconds = 60.0

    @model_validator(mode="after")
    def _one_way(self) -> Ready:
        if sum(part is not None for part in (self.get, self.tcp, self.command)) != 1:
            raise ValueError("ready has exactly one of get, tcp, command")
        return self


def _ready(raw: Any) -> Any:
    return {"get": raw} if isinstance(raw, str) else {"tcp": raw} if isinstance(raw, int) else raw


AnyReady = Annotated[Ready, BeforeValidator(_ready, json_schema_input_type=str | int | Ready)]


def _strings(raw: Any) -> Any:
    return {key: str(value) for key, value in raw.items()} if isinstance(raw, dict) else raw


Env = Annotated[dict[str, str], BeforeValidator(_strings, json_schema_input_type=dict[str, str | int | float | bool])]


def _words(raw: Any) -> Any:
    return tuple(shlex.split(raw)) if isinstance(raw, str) else raw


Words = Annotated[tuple[str, ...], BeforeValidator(_words, json_schema_input_type=str | tuple[str, ...])]


class Container(Section):
    """How a container differs from what its image says; None leaves it to the image.

    `volumes` are the run's own, by name -> path, one for all that name it; `anonymous` ones are new in each container.
    `copies` (here -> there) are put into it before it starts; `seeds` fill a volume of that name with a copy of what
    lies here. `memory` and `shm` are bytes.
    """

    command: Words | None = None
    entrypoint: Words | None = None
    aliases: tuple[str, ...] = ()
    hostname: str | None = None
    user: str | None = None
    workdir: str | None = None
    volumes: dict[str, str] = {}
    read_only: tuple[str, ...] = ()
    anonymous: tuple[str, ...] = ()
    copies: dict[str, str] = {}
    seeds: dict[str, str] = {}
    texts: dict[str, str] = {}
    tmpfs: tuple[str, ...] = ()
    hosts: dict[str, str] = {}
    caps: tuple[str, ...] = ()
    init: bool = False
    memory: Annotated[int, Field(ge=1)] | None = None
    shm: Annotated[int, Field(ge=1)] | None = None


class Attach(Section):
    """What already runs, by its compose `project` and `service` or by `labels`: nothing else is ever touched.

    `restart`: who brings a killed container back. True: chaoscheck starts it again. False: something of the user's own
    does, and `within` (s) is how long that may take. Unset: its restart policy, or an orchestrator that is recognised.
    `watch` names services of the project that must stay up: stores, say.
    """

    project: str | None = None
    service: str | None = None
    labels: dict[str, str] = {}
    restart: bool | None = None
    within: Seconds = 60.0
    watch: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_something(self) -> Attach:
        if bool(self.project) != bool(self.service):
            raise ValueError("attach has project and service together")
        if not (self.project or self.labels):
            raise ValueError("attach needs project and service, or labels")
        if self.watch and not self.project:
            raise ValueError("attach.watch names services of a project, so it needs project and service")
        return self


def _origin(url: str) -> str:
    """Its message never shows the URL, which may hold a password."""
    url = url.removesuffix("/")
    plain = re.fullmatch(r"https?://[^/?#@\s]+", url)
    try:
        dialled(url).host.encode("idna")
    except ValueError:
        plain = None
    if not plain:
        raise ValueError(
            "only http(s), host and port may stand there, as in https://shop.example.org:8443: a path goes into the "
            "steps, user and password into target.auth"
        )
    return url


Origin = Annotated[str, AfterValidator(_origin)]
"""Scheme, host and port of a URL."""


class Target(Section):
    """The service: an image, a folder to build, a compose file's service, what already runs, or a local command.

    `headers` go on every request; `auth` on every one that isn't a guest's, nor the session promise's own `do`.
    `command` is for the process engine; what a container runs is `container.command`.
    """

    image: str | None = None
    build: str | None = None
    dockerfile: str = "Dockerfile"
    build_args: dict[str, str] = {}
    build_target: str | None = None
    container: Container = Container()
    compose: str | None = None
    service: str | None = None
    attach: Attach | None = None
    url: Origin | None = None
    command: Words | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    ready: AnyReady = Ready(get="/")
    env: Env = {}
    volumes: dict[str, AnyVolume] = {}
    setup: tuple[str, ...] = ()
    public_url: Origin | None = None
    headers: dict[str, str] = {}
    auth: Auth | None = None

    @model_validator(mode="after")
    def _something_to_run(self) -> Target:
        if self.image and self.build:
            raise ValueError("target has image or build, not both")
        if not (self.image or self.build or self.command or self.attach):
            raise ValueError("target needs image, build or command (or compose, or attach)")
        if self.attach and (self.image or self.build or self.setup or self.volumes or self.env):
            raise ValueError("attach works on what runs already: image, build, env, volumes, setup have no place there")
        if self.url and not self.attach:
            raise ValueError("url says where what already runs is entered, so it goes with attach")
        return self


class Store(Section):
    """Something that keeps state outside the instances; instances reach it by its name. It is never a victim.

    Without `ready` it is ready when every port that its image exposes accepts connections. It starts when those that
    it comes `after` are ready. `until` running: one whose image exposes no port counts as soon as it runs; done: it
    has to end by itself, with code 0.
    """

    image: str | None = None
    build: str | None = None
    dockerfile: str = "Dockerfile"
    build_args: dict[str, str] = {}
    build_target: str | None = None
    container: Container = Container()
    after: tuple[str, ...] = ()
    until: Literal["ready", "running", "done"] = "ready"
    env: Env = {}
    ready: AnyReady | None = None
    volumes: dict[str, AnyVolume] = {}

    @model_validator(mode="after")
    def _one_source(self) -> Store:
        if bool(self.image) == bool(self.build):
            raise ValueError("a store has exactly one of image, build")
        return self


class BalancerSection(Section):
    """Who routes users' requests: haproxy, direct or external (auto: the engine's usual one).

    `url` and `header` are for external: the header of its answers that names the instance (by its container's name, id,
    host name or address). `ca`: a file of the certificates that an https `url` is trusted by, in place of the system's.
    `image` is for haproxy in a container.
    """

    kind: str = "auto"
    mode: Literal["round-robin", "sticky", "never-same"] = "round-robin"
    image: str | None = None
    url: Origin | None = None
    header: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")] = None
    ca: str | None = None


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError(f"an IPv4 address is needed, such as 127.0.0.1, not '{text}'") from None


class Addresses(Section):
    """Where containers' ports are bound (`publish`, an address of the engine's host) and where we dial them (`host`).

    What isn't said is found out; `chaoscheck doctor` shows it, and tries it.
    """

    publish: Annotated[str, AfterValidator(_address)] | None = None
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")] | None = None


class Traffic(Section):
    """The load. `users` is the number of sessions alive at any time (auto: as many as the evidence needs).

    `arrivals` a second instead makes sessions come and go at that rate. `rate` is requests a second over all sessions;
    `think` the mean pause of a session between its turns (derived from the rate when not set); `life` its mean length.
    """

    users: Annotated[int, Field(ge=1, le=100_000)] | Literal["auto"] = "auto"
    arrivals: Annotated[float, Field(gt=0)] | None = None
    rate: Annotated[float, Field(gt=0, le=100_000)] = 150.0
    life: Seconds | Literal["auto"] = "auto"
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    timeout: Seconds = 10.0


class Mix(Section):
    """Weights of the ways to strike; every slot gets a burst at some time whatever they are."""

    burst: Annotated[float, Field(ge=0)] = 2.0
    in_flight: Annotated[float, Field(ge=0)] = Field(default=1.0, alias="in-flight")
    plain: Annotated[float, Field(ge=0)] = 1.0


class Chaos(Section):
    """Strikes: `rounds` permutations of the slots, or as many as fit into `duration`, never longer than `at_most`."""

    fault: str = "kill"
    rounds: Annotated[int, Field(ge=1, le=1000)] = 2
    duration: Seconds | None = None
    mix: Mix = Mix()
    shams: Annotated[int, Field(ge=0, le=1000)] = 2
    at_most: Seconds = 600.0
    baseline: Seconds = 6.0
    settle: Seconds = 2.0


_SLO = re.compile(r"\s*([\d.]+\s*%)\s+over\s+(\S+)\s*")


def _slo(raw: Any) -> Any:
    if isinstance(raw, dict):
        return raw
    found = _SLO.fullmatch(raw) if isinstance(raw, str) else None
    if not found:
        raise ValueError("write slo as '99.9% over 30d'")
    return {"target": found[1], "period": found[2]}


class Slo(Section):
    """A share of good requests over a period (s)."""

    target: Annotated[Share, Field(gt=0, lt=1)]
    period: Annotated[Seconds, Field(gt=0)]


class Budget(Section):
    """How much of the SLO's error budget the deaths of instances may spend; gates on latency and recovery besides."""

    slo: Annotated[Slo, BeforeValidator(_slo, json_schema_input_type=str)]
    deaths: Annotated[PerSecond, Field(gt=0)]
    spend: Annotated[Share, Field(gt=0, le=1)] = 0.1
    latency_p99: Seconds | None = None
    recovery: Seconds | None = None

    @property
    def bad_seconds_a_kill(self) -> float:
        """(1 - slo) x period / deaths in the period x share to spend."""
        return (1 - self.slo.target) * self.slo.period / (self.deaths * self.slo.period) * self.spend


class Evidence(Section):
    """What a PASS must show: with `confidence`, at most `max_loss` of exposed objects are lost."""

    confidence: Annotated[Share, Field(ge=0.5, lt=1)] = 0.95
    max_loss: Annotated[Share, Field(gt=0, le=0.5)] = 0.01


class Accounts(Section):
    """Who the users are: a template of `$n` and `$run` (an endless supply), a list, or a CSV file (column user)."""

    template: str | None = None
    names: tuple[str, ...] = ()
    csv: str | None = None
    password: str = "pw"


def _accounts(raw: Any) -> Any:
    if isinstance(raw, str):
        return {"csv": raw} if raw.endswith(".csv") else {"template": raw}
    return {"names": raw} if isinstance(raw, list) else raw


AnyAccounts = Annotated[Accounts, BeforeValidator(_accounts, json_schema_input_type=str | tuple[str, ...] | Accounts)]


class Expected(Section):
    """What a calibration plan should end in; `finding` is an anomaly's name.

    `lost_ms` is the time that acknowledged writes stay unkept, which the run should estimate.
    """

    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]
    promise: str | None = None
    finding: str | None = None
    cause: Cause | None = None
    lost_ms: Annotated[float, Field(gt=0)] | None = None


class Plan(Section):
    """All of plan.yaml."""

    target: Target
    instances: Annotated[int, Field(ge=1, le=20)] = 3
    engine: str = "auto"
    stores: dict[str, Store] = {}
    balancer: BalancerSection = BalancerSection()
    addresses: Addresses = Addresses()
    accounts: AnyAccounts = Accounts(template="user-$run-$n")
    promises: Annotated[dict[str, Promise], Field(min_length=1)]
    traffic: Traffic = Traffic()
    chaos: Chaos = Chaos()
    budget: Budget | None = None
    evidence: Evidence = Evidence()
    known: tuple[Known, ...] = ()
    gates: dict[str, AnyLevel] = {}
    secrets: tuple[str, ...] = ()
    seed: int = 1
    expect: Expected | None = None
    because: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _entered_by_its_url(cls, raw: Any) -> Any:
        """Where there is a URL, the balancer is the user's own."""
        target = raw.get("target") if isinstance(raw, dict) else None
        url = target.get("url") if isinstance(target, dict) else None
        given = raw.get("balancer", {}) if isinstance(raw, dict) else None
        if isinstance(given, dict) and (url or given.get("url")) and given.get("kind", "auto") == "auto":
            return {**raw, "balancer": {"url": url, **given, "kind": "external"}}
        return raw

    @model_validator(mode="after")
    def _opened_by_its_url(self) -> Plan:
        """What users open is what is dialled by https: instances that are asked alone behind it believe so too."""
        url = self.balancer.url or ""
        if url.startswith("https:") and self.target.public_url is None:
            return self.model_copy(update={"target": self.target.model_copy(update={"public_url": url})})
        return self

    @model_validator(mode="after")
    def _makes_sense(self) -> Plan:
        if self.instances == 1 and self.chaos.fault == "kill":
            raise ValueError("instances: 1 leaves nobody to serve while the only one is dead; use at least 2")
        sessions = [name for name, promise in self.promises.items() if promise.kind == "session"]
        if len(sessions) > 1:
            raise ValueError(f"only one promise may be of kind session; these are: {', '.join(sessions)}")
        if self.expect is not None and self.expect.promise not in (None, *self.promises):
            raise ValueError(f"expect.promise: no promise is named '{self.expect.promise}'")
        if self.balancer.kind == "external" and not self.balancer.url:
            raise ValueError("balancer kind external needs its url")
        if self.balancer.url and self.balancer.kind != "external":
            raise ValueError("balancer.url is for kind external: chaoscheck starts the others itself")
        if (self.balancer.url or "").startswith("https:") and (self.target.public_url or "").startswith("http:"):
            raise ValueError("target.public_url has to be https where the balancer's url is")
        if self.balancer.header and self.balancer.kind != "external":
            raise ValueError("balancer.header is for kind external: other balancers name instances themselves")
        if self.balancer.ca and not (self.balancer.url or "").startswith("https:"):
            raise ValueError("balancer.ca is for an https url")
        if unknown := sorted({name for store in self.stores.values() for name in store.after} - self.stores.keys()):
            raise ValueError(f"stores: after names {unknown[0]}, which is no store")
        return self

    @property
    def login(self) -> str | None:
        """The name of the session promise, if there is one."""
        return next((name for name, promise in self.promises.items() if promise.kind == "session"), None)


class LoadedPlan(Section):
    """A plan with where it came from: `folder` resolves build folders and CSV files, `lines` finds a key's line.

    `taken` says, a line each, what a compose file gave to it; `doubts` what in that file it leaves out. `filled` are
    the variables of the environment that were filled in, by name: some of them may be secrets.
    """

    plan: Plan
    path: Path
    text: str
    lines: dict[str, int]
    taken: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    filled: dict[str, str] = {}

    @property
    def folder(self) -> Path:
        return self.path.parent

    def place(self, *keys: str) -> str:
        """`file:line` of that key, or of its nearest ancestor."""
        line = self.line(*keys)
        return f"{self.path.name}:{line}" if line else self.path.name

    def line(self, *keys: str) -> int:
        """The line of that key, or of its nearest ancestor; 0 where none is known."""
        for size in range(len(keys), 0, -1):
            line = self.lines.get(".".join(keys[:size]))
            if line is not None:
                return line
        return 0
