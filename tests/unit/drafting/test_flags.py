"""Requests as they are typed."""

from __future__ import annotations

import pytest

from chaoscheck.drafting import flags
from chaoscheck.drafting.draft import Json
from chaoscheck.errors import PlanError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("POST /login user password", {"post": "/login", "json": {"user": "$user", "password": "$password"}}),
        ("submit /in email pwd", {"submit": "/in", "form": {"email": "$user@example.org", "pwd": "$password"}}),
        ("PUT /note text 204", {"put": "/note", "json": {"text": "$value"}, "expect": 204}),
        ("PUT /note text='a b' n=$value", {"put": "/note", "json": {"text": "a b", "n": "$value"}}),
        ('POST /x {"a": {"b": "$value"}}', {"post": "/x", "json": {"a": {"b": "$value"}}}),
        ("GET /me json:user.name", {"get": "/me", "value": "json:user.name"}),
        ("DELETE /s", {"delete": "/s"}),
        ("PUT /profile nickname", {"put": "/profile", "json": {"nickname": "$value"}}),
    ],
)
def test_request_is_read_as_meant(text: str, said: dict[str, Json]) -> None:
    """A bare name is filled in by what it is called."""
    assert flags.step(text, login="user" in text or "email" in text).plain() == said


@pytest.mark.parametrize("text", ["", "/login", "FETCH /x", "POST login", "POST /x 'a", "POST /x {a}"])
def test_what_can_not_be_read_says_how_to_write_it(text: str) -> None:
    """Each with a hint."""
    with pytest.raises(PlanError) as error:
        flags.step(text)
    assert error.value.hint


def test_reads_belong_to_writes_in_their_order() -> None:
    """A value makes a register, its absence a kept object."""
    made = flags.promises(
        "POST /login user", "GET /me json:user", "", ["PUT /a x", "POST /bs y"], ["GET /a json:x", "GET /bs"]
    )
    assert [(each.name, each.kind) for each in made] == [("login", "session"), ("a", "register"), ("b", "kept")]
    assert made[0].see[0].keys["expect"] == {"value": "$user"}
    assert made[2].see[0].keys["expect"] == "$value"


def test_halves_are_refused_or_left_open() -> None:
    """A read without a write means nothing; a write without a read waits for one."""
    with pytest.raises(PlanError, match="more --read"):
        flags.promises("", "", "", [], ["GET /a"])
    with pytest.raises(PlanError, match="--login"):
        flags.promises("", "GET /me", "", [], [])
    assert flags.promises("", "", "", ["PUT /a x"], [])[0].missing
    assert flags.promises("POST /login user", "", "", [], [])[0].missing
