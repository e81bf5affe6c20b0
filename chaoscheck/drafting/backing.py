"""Stores that a folder's libraries talk to, and the settings by which its source finds them: lines to take in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaoscheck.drafting import routes
from chaoscheck.drafting.draft import SAY_HERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """A store: the libraries that ask for it, how a plan starts it, its port and its URL."""

    libraries: str
    how: str
    port: int
    url: str
    sql: bool = False


_KNOWN = {
    "redis": Backing(
        libraries=r"redis|ioredis|connect-redis", how='{image: "redis:7"}', port=6379, url="redis://redis:6379"
    ),
    "postgres": Backing(
        libraries=r"psycopg2?(?:-binary)?|asyncpg|pg",
        how='{image: "postgres:16", env: {POSTGRES_PASSWORD: pw}}',
        port=5432,
        url="postgresql://postgres:pw@postgres:5432/postgres",
        sql=True,
    ),
    "mysql": Backing(
        libraries=r"mysqlclient|pymysql|mysql2?",
        how='{image: "mysql:8", env: {MYSQL_ROOT_PASSWORD: pw, MYSQL_DATABASE: app}}',
        port=3306,
        url="mysql://root:pw@mysql:3306/app",
        sql=True,
    ),
    "mongo": Backing(
        libraries=r"pymongo|mongoose|mongodb", how='{image: "mongo:7"}', port=27017, url="mongodb://mongo:27017"
    ),
}
_MIGRATIONS = {
    "manage.py": "python manage.py migrate",
    "alembic.ini": "alembic upgrade head",
    "prisma/schema.prisma": "npx prisma migrate deploy",
}
_READ = re.compile(r"""(?:environ(?:\.get)?|getenv|process\.env)\s*[.(\[]\s*["']?([A-Z][A-Z0-9_]{2,})""")
_UNPACKED = re.compile(r"\{([^{}]*)\}\s*=\s*process\.env")
_CHOICE = re.compile(r"(STORE|BACKEND|STORAGE|DRIVER)$")
ENV = "and add to env of target: "


def lines(folder: Path) -> Iterator[str]:
    """Each a comment of the plan; what the source reads stands below the store that it leads to."""
    for name, how in _MIGRATIONS.items():
        if (folder / name).is_file():
            yield f"and in target: setup: [{how}]   # {SAY_HERE}, if its tables have to be made: it has {name}"
    source = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in routes.sources(folder))
    for name in ("package.json", "requirements.txt", "pyproject.toml"):
        path = folder / name
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        for store, backing in _KNOWN.items():
            asked = rf"(?:^|[\"'\s])({backing.libraries})(?=[\"'\s=<>~!\[,;]|$)"
            if found := re.search(asked, text, re.MULTILINE | re.IGNORECASE):
                why = f"{SAY_HERE}, if it keeps state there: {name} asks for {found[1]}"
                yield f"stores: {{{store}: {backing.how}}}   # {why}"
                if settings := _settings(source, store, backing):
                    said = ", ".join(f"{key}: {value}" for key, value in settings.items())
                    yield f"{ENV}{{{said}}}   # by these its source finds {store}; a guess"


def _settings(source: str, store: str, backing: Backing) -> dict[str, str]:
    """Variables that the source reads and whose names tell that they lead to this store."""
    read = [*_READ.findall(source)]
    for inside in _UNPACKED.findall(source):
        read += re.findall(r"(?:^|,)\s*([A-Z][A-Z0-9_]{2,})", inside)
    chosen = re.search(rf"""["'`]{store}["'`]|\b{store}\b\s*[,:}}(]""", source) is not None
    own = re.compile(rf"^{store}.*_|^(DATABASE|DB)_" if backing.sql else rf"{store}", re.IGNORECASE)
    found: dict[str, str] = {}
    for name in sorted(set(read)):
        if own.search(name) and (value := _value(name, store, backing)):
            found[name] = value
        elif _CHOICE.search(name) and chosen:
            found[name] = store
    return found


def _value(name: str, store: str, backing: Backing) -> str:
    if re.search(r"(URL|URI|DSN)$", name):
        return f'"{backing.url}"'
    if name.endswith("PORT"):
        return f'"{backing.port}"'
    return store if re.search(r"(HOST|HOSTNAME|SERVER|ADDR|ADDRESS)$", name) else ""
