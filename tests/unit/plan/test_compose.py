"""A compose file's service becomes a plan like any other, and says what of it was left out."""

from __future__ import annotations

import socket
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.plan.load import load_plan
from chaoscheck.plan.plan import LoadedPlan

PROMISES = "promises: {p: {kind: kept, do: {post: /}, see: {get: /}}}\n"
Load = Callable[..., LoadedPlan]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a plan of service web of that compose file; `target` and `more` are text of the plan."""

    def make(services: str, target: str = "", more: str = "", environment: dict[str, str] | None = None) -> LoadedPlan:
        (tmp_path / "compose.yaml").write_text("services:\n" + textwrap.indent(textwrap.dedent(services), "  "))
        plan = tmp_path / "plan.yaml"
        plan.write_text(f"target: {{compose: compose.yaml, service: web{target}}}\n{more}{PROMISES}")
        return load_plan(plan, environment=environment or {})

    return make


def test_service_with_image_becomes_the_target(load: Load) -> None:
    """Ports, expose and health check say how it is asked; the first published port is the one."""
    loaded = load(
        """
        web:
          image: shop:1
          ports: ["127.0.0.1:80:3000/tcp", "9:53/udp"]
          expose: [4000]
          command: serve --all "two words"
          entrypoint: [tini, --]
          user: 1000
          working_dir: /srv
          shm_size: 64m
          mem_limit: 1gb
          healthcheck: {test: ["CMD", ok, now], interval: 1m30s, retries: 2, start_period: 5s, timeout: 10s}
          networks: {front: {aliases: [www]}, back: }
          container_name: the-shop
        """
    )
    target = loaded.plan.target
    assert (target.image, target.port) == ("shop:1", 3000)
    assert (target.ready.command, target.ready.within) == (("ok", "now"), 205.0)
    said = target.container
    assert (said.command, said.entrypoint) == (("serve", "--all", "two words"), ("tini", "--"))
    assert (said.user, said.workdir, said.shm, said.memory) == ("1000", "/srv", 64 * 1024**2, 1024**3)
    assert said.aliases == ("web", "the-shop", "www")
    assert any("several ports" in line for line in loaded.doubts)


FORMS = ["{A: 1, B: x=y, C: true, SHELL: , NOWHERE: }", "[A=1, B=x=y, C=true, SHELL, NOWHERE]"]


@pytest.mark.parametrize("form", FORMS)
def test_environment_of_either_form_is_the_same(load: Load, form: str) -> None:
    """A name alone takes the shell's value, or is left out."""
    loaded = load(f"web: {{image: i, environment: {form}}}", environment={"SHELL": "zsh"})
    assert loaded.plan.target.env == {"A": "1", "B": "x=y", "C": "true", "SHELL": "zsh"}


def test_env_files_come_before_environment_and_dotenv_fills_in(load: Load, tmp_path: Path) -> None:
    """The shell wins over `.env`, `environment` over `env_file`, a later file over an earlier."""
    (tmp_path / ".env").write_text("TAG=7\nBOTH=dotenv\nHOST=db\n")
    (tmp_path / "a.env").write_text("ONE=a\nTWO=a\nTHREE=a\nURL=postgres://$HOST\n")
    (tmp_path / "b.env").write_text("TWO=b\nTHREE=b\nDOLLAR=$HOST\n")
    loaded = load(
        """
        web:
          image: "shop:${TAG}-${BOTH}"
          env_file: [a.env, {path: b.env, format: raw}, {path: missing.env, required: false}]
          environment: {THREE: c, PRICE: 5$$, DEEP: "${NO:-${TAG:?}}"}
        """,
        environment={"BOTH": "shell"},
    )
    assert loaded.plan.target.image == "shop:7-shell"
    assert loaded.plan.target.env == {
        "ONE": "a",
        "TWO": "b",
        "THREE": "c",
        "URL": "postgres://db",
        "DOLLAR": "$HOST",
        "PRICE": "5$",
        "DEEP": "7",
    }
    assert all("postgres" not in line for line in loaded.taken)


def test_build_is_relative_to_the_plan(load: Load) -> None:
    loaded = load("web: {image: tag, build: {context: ../app, dockerfile: D, args: [A=1], target: prod}}")
    target = loaded.plan.target
    assert (target.image, target.build, target.dockerfile) == (None, "../app", "D")
    assert (target.build_args, target.build_target) == ({"A": "1"}, "prod")


def test_dependencies_become_stores_however_far_and_in_order(load: Load) -> None:
    """A job that has to end first is awaited; what nobody needs is not started, and named."""
    loaded = load(
        """
        web:
          image: i
          depends_on: {db: {condition: service_healthy}, migrate: {condition: service_completed_successfully}}
          links: ["db:database", cache]
        db: {image: "postgres:16", healthcheck: {test: pg_isready}, environment: {POSTGRES_PASSWORD: pw}}
        migrate: {image: i, command: migrate, depends_on: [db]}
        cache: {image: redis}
        proxy: {image: nginx, depends_on: [web]}
        mail: {image: mail}
        """
    )
    stores = loaded.plan.stores
    assert set(stores) == {"db", "migrate", "cache"}
    assert (stores["migrate"].until, stores["migrate"].after) == ("done", ("db",))
    assert (stores["cache"].until, stores["cache"].ready) == ("running", None)
    assert stores["db"].ready is not None
    assert stores["db"].ready.command == ("/bin/sh", "-c", "pg_isready")
    assert stores["db"].container.aliases == ("db", "database")
    assert stores["db"].env == {"POSTGRES_PASSWORD": "pw"}
    assert any("proxy, mail; not started" in line for line in loaded.taken)


def test_what_the_plan_says_wins(load: Load) -> None:
    loaded = load(
        """
        web: {build: ., ports: ["80"], environment: {A: file, B: file}, deploy: {replicas: 5}, depends_on: [db]}
        db: {image: postgres, environment: {C: file}}
        mail: {image: mail}
        """,
        ", image: mine, port: 9, ready: /up, env: {A: plan}",
        "stores: {db: {image: mine-too, env: {D: plan}}, mail: }\ninstances: 4\n",
    )
    target = loaded.plan.target
    assert (target.image, target.build, target.port, target.ready.get) == ("mine", None, 9, "/up")
    assert target.env == {"A": "plan", "B": "file"}
    assert loaded.plan.instances == 4
    db, mail = loaded.plan.stores["db"], loaded.plan.stores["mail"]
    assert (db.image, db.env, mail.image) == ("mine-too", {"C": "file", "D": "plan"}, "mail")


def test_image_flag_wins_over_the_file(load: Load, tmp_path: Path) -> None:
    load("web: {build: .}")
    loaded = load_plan(tmp_path / "plan.yaml", overrides={("target", "image"): "ci:1"}, environment={})
    assert (loaded.plan.target.image, loaded.plan.target.build) == ("ci:1", None)


def test_replicas_are_the_instances(load: Load) -> None:
    assert load("web: {image: i, deploy: {replicas: 5}}").plan.instances == 5
    assert load("web: {image: i, scale: 1}").plan.instances == 3


def test_mounts_are_volumes_and_copies(load: Load, tmp_path: Path) -> None:
    """Shared what compose shares, fresh what is fresh, and never the user's own file."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "one.txt").write_text("1")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "engine.sock"))
        loaded = load(
            """
            web:
              image: i
              volumes:
                - named:/named:ro
                - /fresh
                - ./conf:/etc/conf:ro
                - ./data:/data
                - {type: bind, source: one.txt, target: /one.txt}
                - ./gone:/gone
                - ./engine.sock:/engine.sock
                - {type: tmpfs, target: /tmpfs, tmpfs: {size: 1m}}
              tmpfs: [/run]
              depends_on: [backup]
            backup: {image: i, volumes: ["./data:/from", "named:/named"]}
            """
        )
    web, backup = loaded.plan.target.container, loaded.plan.stores["backup"].container
    assert (web.volumes["named"], web.read_only, web.anonymous) == ("/named", ("/named",), ("/fresh",))
    assert web.copies == {"conf": "/etc/conf", "one.txt": "/one.txt"}
    shared = next(name for name, path in web.volumes.items() if path == "/data")
    assert (web.seeds, backup.seeds, backup.volumes[shared]) == ({shared: "data"}, {shared: "data"}, "/from")
    assert web.tmpfs == ("/tmpfs:size=1m", "/run")
    assert "/engine.sock" not in {*web.volumes.values(), *web.copies.values()}
    assert {line.partition(":")[2].split(":")[0] for line in loaded.doubts} >= {"9", "10", "11", "12"}


def test_each_key_that_may_matter_and_is_left_out_is_named_with_its_line(load: Load) -> None:
    loaded = load(
        """
        web:
          image: "i:${TAG}"
          restart: always
          x-own: 1
          privileged: true
          sysctls: {a: 1}
          profiles: [debug]
        """
    )
    said = "\n".join(loaded.doubts)
    assert "compose.yaml:7: services.web.privileged is left out" in said
    assert "compose.yaml:8: services.web.sysctls is left out" in said
    assert "compose.yaml:9: services.web.profiles" in said
    assert "compose.yaml:4: services.web.image uses TAG, which is not set" in said
    assert "restart" not in said
    assert "x-own" not in said


MISTAKES: dict[str, tuple[str, str, str]] = {
    "no-such-service": ("other: {image: i}", "there is no service web", "compose.yaml:1"),
    "extends": ("\nweb:\n  extends: base", "services.web.extends is not read here", "compose.yaml:4"),
    "no-source": ("web: {command: x}", "services.web has neither image nor build", "compose.yaml:2"),
    "host-network": ("web: {image: i, network_mode: host}", "services.web.network_mode is host", "compose.yaml:2"),
    "must-be-set": ("web: {image: '${T:?tell me}'}", "T must be set: tell me", "compose.yaml:2"),
    "bad-dollar": ("web: {image: 'a$'}", "begins no name", "compose.yaml:2"),
    "missing-env-file": ("web: {image: i, env_file: no.env}", "no.env, which is no file", "compose.yaml:2"),
    "circle": ("web: {image: i, depends_on: [a]}\na: {image: i, links: [web]}", "web -> a -> web", "compose.yaml:2"),
    "inline": ("web: {build: {dockerfile_inline: x}}", "dockerfile_inline is not built here", "compose.yaml:2"),
    "no-such-dependency": ("web: {image: i, depends_on: [ghost]}", "there is no service ghost", "compose.yaml:1"),
    "twice": ("web: {image: i}\nweb: {image: j}", "'web' stands twice", "compose.yaml:3"),
    "no-key": ("web: {image: i, zebra: 1}", "services.web.zebra is no key that compose knows", "compose.yaml:2"),
}


@pytest.mark.parametrize(("services", "said", "place"), MISTAKES.values(), ids=MISTAKES)
def test_file_that_can_not_be_taken_is_refused_with_its_line(load: Load, services: str, said: str, place: str) -> None:
    with pytest.raises(PlanError) as refused:
        load(services)
    assert said in refused.value.message
    assert refused.value.place == place


SLIPS = {
    "web:\n  image: i\n  enviroment: {A: b}": ("web.enviroment", "'environment'", 4),
    "web:\n  build: .\n  depend_on: [db]": ("web.depend_on", "'depends_on'", 4),
    "web:\n  build:\n    contxt: .": ("web.build.contxt", "'context'", 4),
    "web:\n  image: i\n  healthcheck:\n    test: x\n    intervall: 1s": ("healthcheck.intervall", "'interval'", 6),
    "web: {image: i, depends_on: [db]}\ndb:\n  image: i\n  volume: ['a:/a']": ("db.volume", "'volumes'", 5),
}


@pytest.mark.parametrize(("services", "told"), SLIPS.items(), ids=[each[0] for each in SLIPS.values()])
def test_misspelt_key_is_refused_with_the_nearest_one(load: Load, services: str, told: tuple[str, str, int]) -> None:
    """Left out in silence, a setting that the service needs would be missed only in the run."""
    with pytest.raises(PlanError) as refused:
        load(services)
    key, meant, line = told
    assert key in refused.value.message
    assert refused.value.hint == f"did you mean {meant}?"
    assert refused.value.place == f"compose.yaml:{line}"


def test_extensions_are_the_users_own(load: Load) -> None:
    """Whatever begins with x- says nothing to compose, wherever it stands."""
    loaded = load("web: {build: {context: ., x-a: 1}, x-enviroment: 1, healthcheck: {test: ok, x-b: 1}}")
    assert not any("x-" in line for line in loaded.doubts)


def test_service_that_is_not_taken_may_say_what_it_likes(load: Load) -> None:
    """It isn't started here: what is wrong with it is no business of this run."""
    load("web: {image: i}\nother: {image: i, enviroment: {}}")


def test_compose_without_service_is_a_mistake_of_the_plan(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("target:\n  compose: compose.yaml\n" + PROMISES)
    with pytest.raises(PlanError, match="compose and service together") as refused:
        load_plan(plan, environment={})
    assert refused.value.place == "plan.yaml:2"


def test_external_volume_is_replaced_and_told(tmp_path: Path) -> None:
    """The user's data is not for trying things on."""
    raw: Any = "services: {web: {image: i, volumes: ['old:/old']}}\nvolumes: {old: {external: true}}\n"
    (tmp_path / "compose.yaml").write_text(raw)
    (tmp_path / "plan.yaml").write_text(f"target: {{compose: compose.yaml, service: web}}\n{PROMISES}")
    loaded = load_plan(tmp_path / "plan.yaml", environment={})
    assert loaded.plan.target.container.volumes == {"old": "/old"}
    assert any("a new, empty volume stands in" in line for line in loaded.doubts)
