"""Files that users hand in, given back byte for byte.

The instance's own disk and the folder that all instances share are the same class: only the path differs, and with it
whether another instance has ever heard of the file. What matters as much is that a file appears whole or not at all:
`FolderObjects` gives it its name once it is complete, `TornObjects` writes it under its name, piece by piece.
"""

import hashlib
import secrets
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from anyio import to_thread
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .instance import Instance
from .object_store import S3Objects
from .settings import Defect, Place, Settings

LARGEST = 32 * 1024 * 1024
PIECES = 8
PAUSE_S = 0.01


class Objects(Protocol):
    """`put` returns once the whole object is kept; `get` gives None for what was never put."""

    async def put(self, key: str, body: bytes) -> None: ...
    async def get(self, key: str) -> bytes | None: ...


class FolderObjects:
    """Files in a folder: stateful on the instance's own disk, stateless on a volume that all instances share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, body: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        await to_thread.run_sync(self._write, self._folder / key, body)

    async def get(self, key: str) -> bytes | None:
        return await to_thread.run_sync(self._read, self._folder / key)

    def _write(self, path: Path, body: bytes) -> None:
        """Under a name that nobody asks for, then renamed: a death in between leaves what was there before."""
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            unfinished.write_bytes(body)
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


class TornObjects(FolderObjects):
    """The defect: a file has its name from its first piece on, so whoever dies in between leaves a torn one."""

    def _write(self, path: Path, body: bytes) -> None:
        piece = max(1, -(-len(body) // PIECES))
        with path.open("wb") as file:
            for start in range(0, len(body), piece):
                file.write(body[start : start + piece])
                file.flush()
                time.sleep(PAUSE_S)


def choose(settings: Settings) -> Objects:
    if settings.uploads is Place.S3:
        return S3Objects(settings.s3_url or "")
    kind = TornObjects if Defect.TORN in settings.defects else FolderObjects
    return kind(own_folder(settings) if settings.uploads is Place.DISK else Path(settings.uploads_dir))


def own_folder(settings: Settings) -> Path:
    """On this instance's own disk; its port keeps two instances apart that happen to share a machine."""
    return Path(tempfile.gettempdir()) / f"shop-uploads-{settings.port}"


def routes(instance: Instance) -> Sequence[BaseRoute]:
    """Guests may upload. /uploads gives out ids of its own, /files keeps names that the client chose."""
    objects = choose(instance.settings)

    async def upload(request: Request) -> Response:
        body, kind = await file_of(request)
        upload_id = secrets.token_urlsafe(16)
        await objects.put(key_of("upload", upload_id), body)
        return JSONResponse({"id": upload_id, "bytes": len(body), "type": kind}, status_code=201)

    async def download(request: Request) -> Response:
        return given_back(await objects.get(key_of("upload", request.path_params["upload_id"])))

    async def put_file(request: Request) -> Response:
        refuse_larger(request)
        body = await request.body()
        await objects.put(key_of("file", request.path_params["name"]), body)
        return JSONResponse({"bytes": len(body)}, status_code=201)

    async def get_file(request: Request) -> Response:
        return given_back(await objects.get(key_of("file", request.path_params["name"])))

    return [
        Route("/uploads", upload, methods=["POST"]),
        Route("/uploads/{upload_id}", download, methods=["GET"]),
        Route("/files/{name}", put_file, methods=["PUT"]),
        Route("/files/{name}", get_file, methods=["GET"]),
    ]


def key_of(kind: str, name: str) -> str:
    """A name that every store takes, whatever the client sent: no path, no length, no clash of the two kinds."""
    return f"{kind}-{hashlib.sha256(name.encode()).hexdigest()}"


async def file_of(request: Request) -> tuple[bytes, str | None]:
    """The bytes and the type of the part named `file`; 400 without one, 413 if it is too large."""
    refuse_larger(request)
    async with request.form(max_files=1, max_fields=16) as form:
        part = form.get("file")
        if not isinstance(part, UploadFile):
            raise HTTPException(400, "the body must be multipart/form-data with a file part named file")
        return await part.read(), part.content_type


def refuse_larger(request: Request) -> None:
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise HTTPException(411, "an upload must say its length")
    if int(length) > LARGEST:
        raise HTTPException(413, f"an upload has at most {LARGEST} bytes")


def given_back(body: bytes | None) -> Response:
    if body is None:
        raise HTTPException(404, "no such file")
    return Response(body, media_type="application/octet-stream")
