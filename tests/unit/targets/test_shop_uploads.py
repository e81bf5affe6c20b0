"""Uploads, on a disk, in a shared folder and in an object store: given back whole, or never known, or torn."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from unit.targets.shop_visits import Answer, Visitor, instances

from targets.shop import object_store, uploads
from targets.shop.settings import Settings
from targets.shop.uploads import FolderObjects, Objects, TornObjects

FILE = bytes(range(256)) * 300
OTHER = b"what was there before"


@pytest.fixture(params=["folder", "s3"])
def two_clients(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Objects, Objects]:
    """The same objects through two instances."""
    if request.param == "folder":
        return FolderObjects(tmp_path), FolderObjects(tmp_path)
    url = request.getfixturevalue("objects_url")
    return object_store.S3Objects(url), object_store.S3Objects(url)


def form(body: bytes, name: str = "file") -> bytes:
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="a.bin"\r\nContent-Type: image/x\r\n\r\n'
    return head.encode() + body + b"\r\n--edge--\r\n"


MULTIPART = "multipart/form-data; boundary=edge"


def test_shared_objects_read_by_another_instance_are_whole(two_clients: tuple[Objects, Objects]) -> None:
    """Also when both begin at once, and when the object replaces an older one."""

    async def scenario() -> tuple[bytes | None, ...]:
        here, there = two_clients
        await asyncio.gather(here.put("one", OTHER), there.put("two", FILE))
        await there.put("one", FILE)
        return await here.get("one"), await here.get("two"), await there.get("three")

    assert asyncio.run(scenario()) == (FILE, FILE, None)


def test_object_store_that_is_away_is_an_error_that_the_shop_answers_with_503() -> None:
    """An object that can't be asked for isn't an object that isn't there."""
    with pytest.raises(ConnectionError):
        asyncio.run(object_store.S3Objects("http://127.0.0.1:9").get("one"))


@pytest.fixture
def disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], dict[str, str]]]:
    """The environment of an instance with a disk of its own."""
    monkeypatch.setattr(uploads.tempfile, "gettempdir", lambda: str(tmp_path))
    yield lambda port: {"SHOP_UPLOADS": "disk", "PORT": port}


async def upload_here_read_there(first: dict[str, str], second: dict[str, str]) -> list[Answer]:
    """The answers to an upload and a put on the first instance, then to both reads on the first and on the second."""
    async with instances(first, second) as (here, there):
        guest = Visitor()
        made = await guest.ask(here, "POST", "/uploads", body=form(FILE), content_type=MULTIPART)
        put = await guest.ask(here, "PUT", "/files/..%2Fa b.txt", body=FILE)
        paths = (f"/uploads/{made.json['id']}", "/files/..%2Fa b.txt")
        return [made, put, *[await guest.ask(shop, "GET", path) for shop in (here, there) for path in paths]]


def test_upload_on_own_disk_is_unknown_to_another_instance(disks: Callable[[str], dict[str, str]]) -> None:
    """The defect: a disk of its own is state, even if it survives a restart."""
    answers = asyncio.run(upload_here_read_there(disks("1"), disks("2")))
    assert [answer.status for answer in answers] == [201, 201, 200, 200, 404, 404]


def test_upload_in_shared_folder_is_given_back_byte_for_byte_by_any_instance(tmp_path: Path) -> None:
    """Whatever its name, and with its length."""
    env = {"SHOP_UPLOADS": "shared", "SHOP_UPLOADS_DIR": str(tmp_path / "up")}
    answers = asyncio.run(upload_here_read_there(env, env))
    assert [answer.status for answer in answers] == [201, 201, 200, 200, 200, 200]
    assert {answer.body for answer in answers[2:]} == {FILE}
    assert {answer.headers["content-length"] for answer in answers[2:]} == {str(len(FILE))}
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path / "up"}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content_type": MULTIPART}, form(FILE, name="picture"), 400),
        ({"content_type": "application/json"}, b"{}", 400),
        ({"content_type": MULTIPART}, b"--other\r\n", 400),
        ({"content_length": str(uploads.LARGEST + 1)}, b"", 413),
        ({"content_length": "?"}, b"", 411),
    ],
)
def test_upload_that_is_none_is_refused(tmp_path: Path, headers: dict[str, str], body: bytes, status: int) -> None:
    """A client's mistake is a 4xx and leaves no file."""

    async def scenario() -> int:
        async with instances({"SHOP_UPLOADS": "shared", "SHOP_UPLOADS_DIR": str(tmp_path)}) as (shop,):
            return (await Visitor().ask(shop, "POST", "/uploads", body=body, **headers)).status

    assert asyncio.run(scenario()) == status
    assert list(tmp_path.iterdir()) == []


class Died(BaseException):
    """What stands for a SIGKILL in mid-write."""


def die(*_: object) -> None:
    raise Died


def put_until_death(objects: Objects) -> bytes | None:
    """An object that replaces another, by a writer who dies; what is there afterwards."""

    async def scenario() -> bytes | None:
        with pytest.raises(Died):
            await objects.put("one", FILE)
        return await objects.get("one")

    return asyncio.run(scenario())


def test_death_in_mid_write_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new bytes have no name yet."""
    objects = FolderObjects(tmp_path)
    asyncio.run(objects.put("one", OTHER))
    monkeypatch.setattr(Path, "replace", die)
    assert put_until_death(objects) == OTHER


def test_death_in_mid_write_of_a_torn_store_leaves_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The defect: a part of the new file, under its name, and the old one gone."""
    objects = TornObjects(tmp_path)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    asyncio.run(objects.put("one", OTHER))
    assert asyncio.run(objects.get("one")) == OTHER
    monkeypatch.setattr(time, "sleep", die)
    left = put_until_death(objects)
    assert left and left != FILE and FILE.startswith(left)


@pytest.mark.parametrize(("env", "kind"), [({}, FolderObjects), ({"SHOP_DEFECT": "torn"}, TornObjects)])
def test_setting_chooses_the_way_to_write_and_the_folder_beside_the_database(
    env: dict[str, str], kind: type, tmp_path: Path
) -> None:
    """One shared volume holds both, unless a folder is named."""
    settings = Settings.from_environment(
        {"SHOP_SESSIONS": "sqlite", "SHOP_SQLITE": str(tmp_path / "shop.sqlite")} | env
    )
    objects = uploads.choose(settings)
    asyncio.run(objects.put("one", FILE))
    assert (type(objects), (tmp_path / "uploads" / "one").read_bytes()) == (kind, FILE)
