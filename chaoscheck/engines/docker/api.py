"""The connection to a container engine, and the one place where its exceptions become ours."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import docker
import requests
import urllib3
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import APIError, DockerException, NotFound

from chaoscheck.errors import EngineLost, EngineUnavailable, EnvironmentTrouble, PortTaken

CALL_S = 20
_SCHEMES = ("unix", "http+unix", "npipe", "fd", "tcp", "http", "https", "ssh")
_FOREIGN_HINT = "CHAOSCHECK_PUBLISH must be an address of the engine's host; 0.0.0.0 is all of them"
_PORT = re.compile(r"port is already allocated|address already in use|bind for \S+ failed", re.IGNORECASE)


class _Client(docker.APIClient):  # type: ignore[misc]
    """Trusts whom docker's own settings name: REQUESTS_CA_BUNDLE is about others, and `requests` would prefer it."""

    def merge_environment_settings(self, url: str, proxies: Any, stream: Any, verify: Any, cert: Any) -> dict[str, Any]:
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        return {**settings, "verify": self.verify if verify is None else verify}


def connect(*, timeout_s: float = CALL_S) -> Any:
    """A client of the engine that DOCKER_HOST, or else docker's current context, names. Raises EngineUnavailable."""
    base_url = where()
    try:
        settings = docker.utils.kwargs_from_env()
        if "base_url" not in settings and (context := _context()):
            settings["tls"] = context.TLSConfig
        client = _Client(**{**settings, "base_url": base_url or None, "version": "auto", "timeout": timeout_s})
        client.ping()
    except _trouble() as error:
        raise EngineUnavailable(
            f"no container engine answers at {base_url or 'the default socket'} ({_why(base_url, error)})",
            hint="start it, or use the process engine with a target.command",
        ) from None
    return client


def silence() -> str:
    """ "" when an engine answers, else why not."""
    try:
        connect(timeout_s=5).close()
    except EngineUnavailable as error:
        return error.message
    return ""


def where() -> str:
    """The URL of that engine; "" for the default socket. Raises EngineUnavailable."""
    said = os.environ.get("DOCKER_HOST") or str(getattr(_context(), "Host", ""))
    # `DOCKER_HOST=10.0.0.7:2375` is dialled by TCP.
    return said if not said or urlsplit(said).scheme in _SCHEMES else f"tcp://{said}"


def _context() -> Any:
    """Docker's context, DOCKER_CONTEXT's or the current one, where it names an engine; else None.

    Raises EngineUnavailable for one that isn't there: the default engine in its place may be anybody's.
    """
    try:
        name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
        context = ContextAPI.get_context(name)
    except (DockerException, OSError, ValueError, KeyError):
        return None
    if context is None:
        raise EngineUnavailable(
            f"docker's context is said to be '{name}' (DOCKER_CONTEXT, or `docker context use`), which isn't there",
            hint="`docker context ls` lists those that are",
        )
    return context if context.Host else None


@contextmanager
def talking(doing: str) -> Iterator[None]:
    """Around every call to the engine: `doing` completes "the engine could not ..." in what the user reads."""
    try:
        yield
    except APIError as error:
        raise _refused(doing, error) from None
    except _trouble() as error:
        raise EngineLost(
            f"the container engine stopped answering (could not {doing}: {_short(error)})",
            hint="see the engine's own log; `chaoscheck clean` removes what is left once it is back",
        ) from None


@contextmanager
def gone_is_fine() -> Iterator[None]:
    """What isn't there any more needs no removing, and what is being removed neither."""
    try:
        yield
    except NotFound:
        return
    except APIError as error:
        if error.status_code != 409 or "already in progress" not in str(error):
            raise


def inspect_raw(client: Any, id_: str) -> dict[str, Any] | None:
    """All that the engine knows of a container; None when it is gone. Raises EngineLost."""
    with talking(f"inspect {id_[:12]}"):
        try:
            found: dict[str, Any] = client.inspect_container(id_)
        except NotFound:
            return None
        return found


def _trouble() -> tuple[type[Exception], ...]:
    """What an engine that can't be talked to raises; over ssh it is the library's own, where that is in use."""
    ssh = sys.modules.get("paramiko")
    own = (ssh.SSHException, EOFError) if ssh else ()
    return (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError, *own)


def _why(base_url: str, error: Exception) -> str:
    if not base_url.startswith("ssh://"):
        return _short(error)
    if "install paramiko" in str(error).lower():
        return "ssh:// needs pip install 'chaoscheck[ssh]'"
    return f"{_short(error)}; ssh has to get there without a question: see `ssh {base_url[6:]}`"


def _refused(doing: str, error: APIError) -> EnvironmentTrouble:
    said = " ".join(str(error.explanation or error).split())
    if _PORT.search(said):
        return PortTaken(f"the engine could not {doing}: {said}", hint="end what holds the port")
    hint = _FOREIGN_HINT if "cannot assign requested address" in said else ""
    return EnvironmentTrouble(f"the container engine could not {doing}: {said}", hint=hint)


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    inner = re.search(r"(\w+Error\([^()]*\))", text)
    return (inner[1] if inner else text)[:200] or type(error).__name__
