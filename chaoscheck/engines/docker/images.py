"""Images: those that are here, those that can be pulled, those that are built from a folder."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.errors import APIError, ImageNotFound

from chaoscheck.engines.docker.api import talking
from chaoscheck.engines.docker.context import packed
from chaoscheck.engines.docker.labels import ROLE
from chaoscheck.errors import BuildFailed, EnvironmentTrouble, ImageMissing, PlanError

# A registry that says nothing for that long is no registry; a pull that goes on may take what it needs.
PULL_SILENCE_S = 20.0
BUILD_SILENCE_S = 900
LAST_LINES = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a build is told besides its folder."""

    args: Mapping[str, str] = field(default_factory=dict)
    target: str = ""


class Images:
    """Finds or makes images on one engine. Built ones stay, so that the next run finds every layer in the cache."""

    def __init__(self, client: Any, say: Callable[[str], None], runs: Path | None = None) -> None:
        """`runs` is the folder that runs are written to: no build is sent it."""
        self._client = client
        self._say = say
        self._runs = runs

    def get(
        self, what: str, *, image: str, build: Path | None, dockerfile: str = "Dockerfile", how: Recipe | None = None
    ) -> str:
        """The image's id: `image` if it is here or can be pulled, else built from `build`.

        `what` names it to the user. Raises ImageMissing, BuildFailed, or PlanError for a folder that isn't there.
        """
        if not image and build is not None:
            return self._build(what, build, dockerfile, how or Recipe())
        found = self._local(image)
        if found:
            return found
        if build is not None and self._local(_tag(build, dockerfile)):
            # As an earlier run had to: no need to ask the registry again.
            return self._build(what, build, dockerfile, Recipe())
        refusal = self._pull(image)
        found = self._local(image)
        if found:
            return found
        if build is not None:
            self._say(f"{what}: {image} can't be pulled here, so it is built from {build.name}")
            return self._build(what, build, dockerfile, Recipe())
        raise ImageMissing(
            f"{what}: image {image} is not on this machine and can't be pulled ({_reason(refusal)})",
            hint="build or load it first, correct its name, or say build: FOLDER",
        )

    def here(self, *, image: str = "", build: Path | None = None, dockerfile: str = "Dockerfile") -> bool:
        """Whether the engine has that image, or one that was built from that folder before."""
        return bool((image and self._local(image)) or (build is not None and self._local(_tag(build, dockerfile))))

    def refusal(self, image: str) -> str:
        """What stands in the way of pulling it, as its registry says; "" when nothing does. Nothing is pulled."""
        try:
            with talking(f"ask for {image}"):
                self._client.inspect_distribution(image)
        except EnvironmentTrouble as trouble:
            return trouble.message
        return ""

    def exposed(self, image: str) -> tuple[int, ...]:
        """The TCP ports that the image says it serves, ascending."""
        with talking(f"inspect image {image}"):
            config = self._client.inspect_image(image)["Config"] or {}
        ports = (name.partition("/") for name in config.get("ExposedPorts") or {})
        return tuple(sorted(int(port) for port, _, kind in ports if kind in ("", "tcp")))

    def _local(self, image: str) -> str:
        with talking(f"look for image {image}"):
            try:
                return str(self._client.inspect_image(image)["Id"])
            except ImageNotFound:
                return ""

    def _pull(self, image: str) -> str:
        """Try to pull; what stood in the way, or "" when it went well."""
        self._say(f"pulling {image}")
        pull = _Pull(self._client, image)
        pull.start()
        return pull.outcome()

    def _build(self, what: str, folder: Path, dockerfile: str, how: Recipe) -> str:
        if not (folder / dockerfile).is_file():
            raise PlanError(f"{what}: there is no {dockerfile} in {folder}", hint="build is a folder beside the plan")
        self._say(f"building {what} from {folder}")
        last: deque[str] = deque(maxlen=LAST_LINES)
        with talking(f"build {what}"):
            try:
                with packed(folder, dockerfile, self._runs) as (context, name):
                    stream = self._client.build(
                        fileobj=context,
                        custom_context=True,
                        dockerfile=name,
                        tag=_tag(folder, dockerfile, how),
                        buildargs=dict(how.args),
                        target=how.target or None,
                        labels={ROLE: "image"},
                        rm=True,
                        forcerm=True,
                        decode=True,
                        timeout=BUILD_SILENCE_S,
                    )
                    return _follow(what, stream, last)
            except APIError as error:
                raise BuildFailed(
                    f"{what}: the image in {folder} can't be built: {error.explanation}",
                    hint=_hint(str(error.explanation)),
                    details="\n".join(last),
                ) from None
            except OSError as error:
                if type(error) is not OSError:
                    raise
                # The SDK's own, while it packs the folder.
                raise BuildFailed(
                    f"{what}: the folder {folder} can't be packed: {error}",
                    hint="name what the image doesn't need in .dockerignore",
                ) from None


class _Pull(threading.Thread):
    """A pull in a thread of its own, since the SDK gives its calls for pulling no limit."""

    def __init__(self, client: Any, image: str) -> None:
        super().__init__(name=f"pull {image}", daemon=True)
        self._client = client
        self._image = image
        self._moved = threading.Event()
        self._refusal = ""

    def run(self) -> None:
        try:
            for line in self._client.pull(self._image, stream=True, decode=True):
                self._refusal = str(line.get("error", "")) or self._refusal
                self._moved.set()
        except Exception as error:  # whatever it is, it is why there is no image
            said = error.explanation if isinstance(error, APIError) else ""
            self._refusal = " ".join(str(said or error).split())[-300:]
        finally:
            self._moved.set()

    def outcome(self) -> str:
        while self.is_alive():
            self._moved.clear()
            self.join(0.05)
            if self.is_alive() and not self._moved.wait(PULL_SILENCE_S) and self.is_alive():
                return f"the registry said nothing for {PULL_SILENCE_S:g} s"
        return self._refusal


_REASONS = {
    r"no such host|name resolution|Name or service not known|server misbehaving": "its registry's name is not found",
    r"connection refused|timeout|deadline exceeded|unreachable|said nothing": "its registry does not answer",
    r"manifest unknown|not found|does not exist|denied|unauthorized": "its registry has none, or wants a login",
    r"certificate|x509|HTTP response to HTTPS": "its registry's certificate is refused",
}


def _reason(refusal: str) -> str:
    """In a few words; what we know no words for as it was said."""
    for pattern, words in _REASONS.items():
        if re.search(pattern, refusal, re.IGNORECASE):
            return words
    return refusal[:120] or "no reason given"


def _follow(what: str, stream: Iterator[dict[str, Any]], last: deque[str]) -> str:
    image = ""
    for line in stream:
        last.extend(text for text in str(line.get("stream", "")).splitlines() if text.strip())
        image = str((line.get("aux") or {}).get("ID", "")) or image
        if "error" in line:
            said = str(line["error"]).strip()
            raise BuildFailed(f"{what}: the image didn't build: {said}", hint=_hint(said), details="\n".join(last))
    if not image:
        raise BuildFailed(
            f"{what}: the build ended without an image",
            hint="build it by hand with the engine's own command",
            details="\n".join(last),
        )
    return image


def _hint(said: str) -> str:
    if "buildkit" in said.lower() or "unknown flag: mount" in said.lower():
        return "it needs BuildKit: build it with `docker build -t NAME`, and write image: NAME instead of build"
    return "its last lines say why; `docker build` of that folder shows all of them"


def _tag(folder: Path, dockerfile: str, how: Recipe | None = None) -> str:
    """One tag a folder, so that a rebuild replaces it instead of piling up."""
    where = folder.resolve()
    name = "".join(char if char.isalnum() else "-" for char in where.name.lower()).strip("-") or "image"
    told = [how.target, *sorted(f"{key}={value}" for key, value in how.args.items())] if how else []
    parts = [str(where), dockerfile, *(told if any(told) else [])]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]
    return f"chaoscheck/{name}:{key}"
