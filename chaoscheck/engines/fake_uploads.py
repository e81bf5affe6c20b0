"""Simulated services that take files: one that keeps them as it should, and the usual ways to fail at it."""

from __future__ import annotations

from typing import NamedTuple

from chaoscheck.engines.fake_apps import APPS, Asked, Data, Said, Shop

PIECES = 8
PIECE_S = 0.01
"""What a torn file's writer takes for each of them."""


class File(NamedTuple):
    """What is kept under a name, and whose it is."""

    owner: str
    content: bytes


class UploadShop(Shop):
    """POST /uploads (a `file`) gives out an id, PUT /files/NAME keeps the name, PUT /picture replaces the own one."""

    def files(self) -> Data:
        return self.shared.setdefault("files", {})  # type: ignore[no-any-return]

    def keep(self, name: str, file: File) -> None:
        self.files()[name] = file

    def find(self, name: str) -> File | None:
        return self.files().get(name)

    def logged_in(self, route: str, sid: str, session: Data, asked: Asked) -> Said:
        user = str(session["user"])
        if route == "POST /uploads":
            self.shared["uploads"] = self.shared.get("uploads", 0) + 1
            name = f"up-{self.shared['uploads']}"
            return self._put(name, File(user, asked.files["file"]), {"id": name, "title": asked.form.get("title")})
        place, _, name = asked.path.strip("/").partition("/")
        name = name or f"picture of {user}"
        if place not in ("uploads", "files", "picture"):
            return super().logged_in(route, sid, session, asked)
        if asked.method == "PUT":
            return self._put(name, File(user, asked.raw), {})
        file = self.find(name)
        return Said(404, {"error": "no such file"}) if file is None else Said(200, file.content)

    def _put(self, name: str, file: File, answer: Data) -> Said:
        self.keep(name, file)
        return Said(201, answer)


class LocalUploads(UploadShop):
    """Files lie on the instance's own disk, which a replacement doesn't get."""

    def files(self) -> Data:
        return self.local.setdefault("files", {})  # type: ignore[no-any-return]


class TornUploads(UploadShop):
    """Files grow piece by piece under the name that readers ask for."""

    def keep(self, name: str, file: File) -> None:
        size = -(-len(file.content) // PIECES)
        for end in range(size, size * PIECES + 1, size):
            self.files()[name] = File(file.owner, file.content[:end])
            self.world.spend(PIECE_S, PIECE_S)
            if self.local.get("dead"):
                return


class SlowUploads(UploadShop):
    """As slow as the torn one, but a file has its name only when all of it is there."""

    def keep(self, name: str, file: File) -> None:
        self.world.spend(PIECES * PIECE_S, PIECES * PIECE_S)
        if not self.local.get("dead"):
            super().keep(name, file)


class MixedUpUploads(UploadShop):
    """A download now and then answers with the file of whoever asked before."""

    def find(self, name: str) -> File | None:
        found = super().find(name)
        before, self.local["before"] = self.local.get("before"), found
        self.local["asked"] = self.local.get("asked", 0) + 1
        wrong = self.local["asked"] % 13 == 0 and found is not None and isinstance(before, File)
        return before if wrong else found


class StaleUploads(UploadShop):
    """Every instance keeps a copy of what it has read or written, and is never told that it was replaced."""

    def keep(self, name: str, file: File) -> None:
        super().keep(name, file)
        self.local.setdefault("copies", {})[name] = file

    def find(self, name: str) -> File | None:
        copies: Data = self.local.setdefault("copies", {})
        found = copies.get(name) or super().find(name)
        if isinstance(found, File):
            copies[name] = found
            return found
        return None


for _name, _app in {
    "uploads": UploadShop,
    "local-uploads": LocalUploads,
    "torn-uploads": TornUploads,
    "slow-uploads": SlowUploads,
    "mixed-up-uploads": MixedUpUploads,
    "stale-uploads": StaleUploads,
}.items():
    APPS.add(_name)(_app)
