"""Setup commands: run once in the target's image, after the stores and before the instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import requests

from chaoscheck.engines.docker.api import talking
from chaoscheck.engines.docker.containers import Containers, Wanted
from chaoscheck.engines.docker.dress import Dress
from chaoscheck.errors import SetupFailed

LIMIT_S = 300
LAST_LINES = 25


def run_setup(
    containers: Containers,
    commands: Sequence[str],
    *,
    image: str,
    env: Mapping[str, str],
    mounts: Mapping[str, str],
    dress: Dress,
    say: Callable[[str], None],
) -> None:
    """Each by `sh -c`, one after the other, with the instances' env, network and shared volumes. Raises SetupFailed."""
    for number, command in enumerate(commands, start=1):
        say(f"setup: {command}")
        box = containers.start(
            Wanted(
                name=f"setup-{number}",
                role="setup",
                image=image,
                env=env,
                mounts=mounts,
                entrypoint=("sh", "-c"),
                command=(command,),
                dress=dress,
            )
        )
        code = _wait(containers, box.id)
        if code != 0:
            how = f"did not end within {LIMIT_S} s" if code is None else f"ended in {code}"
            raise SetupFailed(
                f"setup command `{command}` {how}",
                hint="its last lines are below",
                details=containers.logs(box.id, LAST_LINES),
            )
        containers.remove(box.id)


def _wait(containers: Containers, id_: str) -> int | None:
    with talking("wait for a setup command"):
        try:
            return int(containers.client.wait(id_, timeout=LIMIT_S)["StatusCode"])
        except requests.exceptions.ReadTimeout:
            return None
        except requests.exceptions.ConnectionError as error:
            # The SDK's streaming socket says "read timed out" under this name, too.
            if "timed out" in str(error).lower():
                return None
            raise
