"""Nothing that is written holds a secret, or a character that moves a terminal's cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.model.secrecy import names_secret
from chaoscheck.steps.base import Answer, Trouble, Wire
from chaoscheck.steps.mask import (
    EXCERPT_CHARS,
    Masker,
    carries_credentials,
    looks_secret,
    printable,
)

MASKER = Masker(["pw", "hunter2-long"])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("the hunter2-long one", "the *** one"),
        ("xhunter2-longx", "x***x"),
        ("pw", "***"),
        ("pwd and spw stay", "pwd and spw stay"),
        ('{"password": "s3cret", "user": "al"}', '{"password": "***", "user": "al"}'),
        ("user=al&passwd=s3&x=1", "user=al&passwd=***&x=1"),
        ('{"access_token":"abc"}', '{"access_token":"***"}'),
        ("form: {password: $password, token: '${csrf}'}", "form: {password: $password, token: '${csrf}'}"),
        ("password: $alt, token: $user", "password: ***, token: ***"),
        (
            'form-data; name="@csrf"\r\n\r\nt1 2\r\n--b\r\nform-data; name="title"\r\n\r\nmine\r\n',
            'form-data; name="@csrf"\r\n\r\n***\r\n--b\r\nform-data; name="title"\r\n\r\nmine\r\n',
        ),
        ("Bearer abcdefgh.ijk", "Bearer ***"),
        ("see eyJhbGciOiJI.eyJzdWIi.sig-n", "see ***"),
        (
            "<input type=hidden name='csrfmiddlewaretoken' value='abc'>",
            "<input type=hidden name='csrfmiddlewaretoken' value='***'>",
        ),
        ("nothing here", "nothing here"),
    ],
)
def test_text_is_masked_where_it_is_secret(text: str, masked: str) -> None:
    """What the plan names, what fields are named after, and what has the shape of a credential."""
    assert MASKER.text(text) == masked


def test_text_is_masked_of_what_is_secret_at_the_moment() -> None:
    assert MASKER.text("sid-value here", ["sid-value", ""]) == "*** here"


@pytest.mark.parametrize(
    ("name", "value", "masked"),
    [
        ("Cookie", "a=1; sid=xyz", "a=***; sid=***"),
        ("Set-Cookie", "sid=xyz; Path=/; HttpOnly", "sid=***; Path=/; HttpOnly"),
        ("authorization", "Bearer t", "Bearer ***"),
        ("Authorization", "opaque", "***"),
        ("X-Api-Key", "k", "***"),
        ("Host", "shop.test", "shop.test"),
    ],
)
def test_header_keeps_its_shape_and_loses_its_secret(name: str, value: str, masked: str) -> None:
    assert MASKER.header(name, value) == masked


def test_request_that_is_shown_has_no_secret_left() -> None:
    wire = Wire(
        "POST", "/x?token=abc", (("Cookie", "sid=xyz"), ("X-T", "tok-1234")), b'{"pin":"pw","t":"tok-1234"}', 1.0
    )
    shown = MASKER.wire(wire, ["tok-1234"])
    assert shown == Wire(
        "POST", "/x?token=***", (("Cookie", "sid=***"), ("X-T", "***")), b'{"pin":"***","t":"***"}', 1.0
    )


def test_excerpt_is_one_short_line() -> None:
    """Status, location and the body's beginning, without what could forge lines or colours."""
    body = "line\nline \x1b[31mred\x1b[0m \u202eright-to-left " + "x" * 1000
    answer = Answer(302, (("Location", "/login?token=abc"),), body.encode(), Trouble.NONE, True, 0, 1)
    excerpt = MASKER.excerpt(answer, body)
    assert excerpt.startswith("302 location=/login?token=*** line line  [31mred [0m")
    assert len(excerpt) == EXCERPT_CHARS


@given(st.text())
def test_printable_text_is_printable_and_utf8(text: str) -> None:
    shown = printable(text)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in shown)
    shown.encode()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("a1b2c3d4e5f6a7b8", True),
        ("x" * 32, True),
        ("42", False),
        ("alice", False),
        ("two words 1234567890", False),
        ("1234567890123456", False),
    ],
)
def test_taken_value_looks_like_a_token_or_not(text: str, secret: bool) -> None:
    assert looks_secret(text) is secret


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "userPassword",
        "passwd",
        "pass",
        "api_key",
        "csrf",
        "token",
        "sid",
        "x_auth",
        "RAILS_MASTER_KEY",
        "APP_KEY",
        "PRIVATE_KEY",
    ],
)
def test_name_says_that_a_secret_stands_behind_it(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize("name", ["user", "me", "id", "passage", "side", "author", "pinned", "value"])
def test_name_that_only_sounds_like_it_is_no_secret(name: str) -> None:
    assert not names_secret(name)


def test_credentials_are_carried_by_some_headers_only() -> None:
    names = ("Cookie", "authorization", "X-Api-Key", "Host", "If-Match")
    assert [name for name in names if carries_credentials(name)] == ["Cookie", "authorization", "X-Api-Key"]
