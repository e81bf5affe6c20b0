"""What of a plan must not be written anywhere: the list, passwords, and settings named like a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck.model.secrecy import secrets_in
from chaoscheck.plan.load import load_plan
from chaoscheck.steps.confidential import confidential

PLAN = """
target:
  command: [serve, --key, "${API_TOKEN}", --port, "${PORT_NO}", "${QUEUE_URL}"]
  env:
    DB_PASSWORD: from-the-plan
    DATABASE_URL: "postgres://app:in-the-url@db/app"
    COOKIE_SECURE: "true"
    TOKEN_LIFE: "60"
    CACHE_URL: "redis://guest:guest@cache"
    CACHE_PASSWORD: cache
    GREETING: good morning
  headers: {Authorization: Bearer for-the-gate, X-Where: here}
  auth: "ann:of-the-target"
stores:
  db: {image: postgres, env: {POSTGRES_PASSWORD: of-the-store}}
  cache: {image: redis}
accounts: {template: u-$n, password: of-the-users}
secrets: [listed, "${LISTED}"]
promises:
  p: {kind: kept, do: {post: /, auth: "bob:of-the-step"}, see: {get: /}}
"""
ENVIRONMENT = {
    "API_TOKEN": "from-outside",
    "PORT_NO": "8123",
    "QUEUE_URL": "amqp://q:of-the-queue@q",
    "LISTED": "listed-too",
    "OTHER_TOKEN": "not-asked-for",
}


def test_secrets_of_a_plan_are_all_that_its_names_say(tmp_path: Path) -> None:
    """And nothing that a name only seems to say: a switch, or a store's own name, would garble every log."""
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    loaded = load_plan(path, environment=ENVIRONMENT)
    assert confidential(loaded.plan, loaded.filled) == (
        "for-the-gate",
        "from-outside",
        "from-the-plan",
        "in-the-url",
        "listed",
        "listed-too",
        "of-the-queue",
        "of-the-step",
        "of-the-store",
        "of-the-target",
        "of-the-users",
    )


@pytest.mark.parametrize(
    ("name", "text", "secrets"),
    [
        ("DATABASE_URL", "postgres://app:a@db", set()),
        ("DATABASE_URL", "postgres://app:app@db", set()),
        ("DATABASE_URL", "postgres://app:p%40ssw0rd@db", {"p%40ssw0rd", "p@ssw0rd"}),
        ("DATABASE_URL", "postgres://app:pa/ss99@db", {"pa/ss99"}),
        ("DATABASE_URL", "postgres://app:p4ss@word@db", {"p4ss", "p4ss@word"}),
        ("SITE", "http://host:8080/path?mail=ann@here.org", set()),
        ("TOKEN_TTL", "3600", set()),
        ("CSRF_ENABLED", "enabled", set()),
        ("PASSWORD_HASHER", "argon2", set()),
        ("PASSWORD_FILE", "/run/secrets/db", set()),
        ("SESSION_TOKEN", "3600", {"3600"}),
        ("ENCRYPTION_KEY", "0123abcd", {"0123abcd"}),
    ],
)
def test_setting_gives_the_texts_that_are_secret_in_it(name: str, text: str, secrets: set[str]) -> None:
    """As drivers show them, too; what is short, or only about a secret, would garble every log."""
    assert {*secrets_in({name: text})} == secrets
