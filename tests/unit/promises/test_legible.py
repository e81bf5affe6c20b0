"""What can be read in a token without a key: found in every wrapping, never invented, and never repeated."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import uuid
import zlib
from collections.abc import Callable
from urllib.parse import quote

import pytest

from chaoscheck.promises.legible import readable, unsigned

ANN = {"user": "ann-4711", "password": "correct horse", "full_name": "Ann Other"}
WRAPPINGS: dict[str, Callable[[bytes], str]] = {
    "plain": lambda data: data.decode(),
    "base64": lambda data: base64.b64encode(data).decode(),
    "base64url with a signature": lambda data: f"{b64(data)}.{secrets.token_urlsafe(32)}",
    "hex": lambda data: data.hex(),
    "percent": lambda data: quote(data.decode()),
    "compressed": lambda data: f".{b64(zlib.compress(data))}.{secrets.token_urlsafe(20)}",
    "gzip": lambda data: b64(gzip.compress(data)),
    "twice": lambda data: b64(b64(data).encode()),
    "among other bytes": lambda data: b64(b"\x80\x04\x95\xff\xfe\x00" + data + b"\x00\xff\x94"),
    "a JWT's payload": lambda data: jwt({"alg": "HS256"}, data),
    "nested in a JWT": lambda data: jwt({"alg": "HS256"}, json.dumps({"sub": "x1", "more": b64(data)}).encode()),
    "prefixed": lambda data: f"v2_{b64(data)}",
}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(header: dict[str, str], payload: bytes, signature: str = "c2lnbmF0dXJlLW9mLWl0LWFsbA") -> str:
    return f"{b64(json.dumps(header).encode())}.{b64(payload)}.{signature}"


def claims(**more: object) -> str:
    return jwt({"alg": "RS256", "typ": "JWT"}, json.dumps({"sub": "8f14e45f", "exp": 2000000000, **more}).encode())


@pytest.mark.parametrize("way", WRAPPINGS)
@pytest.mark.parametrize("data", ['{"id": 7, "contact": "ann@shop.example"}', "uid=7&email=hidden&exp=2000000000"])
def test_personal_data_is_found_however_it_is_wrapped(way: str, data: str) -> None:
    """Whoever holds it can unwrap it as well."""
    found = readable(WRAPPINGS[way](data.encode()), ANN, ())
    assert found
    assert not any(word in " ".join(found) for word in ("ann@", "hidden"))


@pytest.mark.parametrize(
    "more",
    [
        {"email": "x"}, {"given_name": "Ann"}, {"Phone-Number": "+49 1"}, {"ssn": 123}, {"user": {"birthdate": "1970"}},
        {"password_hash": "x"}, {"apiKey": "x"}, {"ctx": [{"client_secret": "x"}]}, {"address": {"street": "x"}},
        {"name": "Ann Other"}, {"note": "correct horse"}, {"note": "Ann Other"},
    ],
)  # fmt: skip
def test_keys_that_stand_for_personal_or_secret_data_are_reported(more: dict[str, object]) -> None:
    """At any depth, in any spelling; and the account's own secrets under any key."""
    found = readable(claims(**more), ANN, ())
    assert found
    assert all("payload of the JWT" in what for what in found)


@pytest.mark.parametrize(
    "more",
    [
        {}, {"jti": "t1", "iat": 1, "iss": "https://shop.example", "aud": "api", "scope": "read write"},
        {"email": ""}, {"email": None}, {"email_verified": True}, {"phone": False}, {"name": "ann-4711"},
        {"username": "ann-4711"}, {"preferred_username": "ann-4711"}, {"roles": ["buyer"]},
    ],
)  # fmt: skip
def test_opaque_ids_times_and_the_public_name_are_fine(more: dict[str, object]) -> None:
    """Nobody is told anything that the client didn't know."""
    assert readable(claims(**more), ANN, ()) == []


def test_public_name_is_reported_where_the_plan_calls_it_personal() -> None:
    """And then under any key, but not as part of another one's."""
    assert readable(claims(username="ann-4711"), ANN, ["$user"])
    assert readable("session:ann-4711:x", ANN, ["$user"])
    assert readable(claims(username="ann-47112"), ANN, ["$user"]) == []
    assert readable(claims(sub="x"), ANN, ["$unknown"]) == []


def test_random_tokens_show_nothing() -> None:
    """Never a wrong verdict: no letters of chance make a word."""
    account = {"user": "al", "password": "pw"}
    for _ in range(1500):
        for token in (
            secrets.token_urlsafe(48),
            secrets.token_hex(32),
            b64(secrets.token_bytes(200)),
            str(uuid.uuid4()),
        ):
            assert readable(token, account, ["$user", "bob"]) == []


def test_encrypted_token_shows_its_header_only() -> None:
    """Five parts, of which the first is for everybody."""
    parts = ".".join(secrets.token_urlsafe(24) for _ in range(4))
    header = b64(b'{"alg":"dir","enc":"A256GCM"}')
    assert readable(f"{header}.{parts}", ANN, ()) == []
    assert unsigned(f"{header}.{parts}") == ""


def test_hostile_tokens_take_no_time_and_break_nothing() -> None:
    """Bombs, depth, and garbage."""
    bomb = b64(zlib.compress(b"0" * 50_000_000))
    deep = b64(("[" * 50_000).encode())
    for token in (bomb, deep, jwt({"alg": "HS256"}, b'{"a":' * 2000), "." * 90_000, "%25" * 40_000, "A" * 2_000_000):
        assert readable(token, ANN, ()) == []


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (jwt({"alg": "none"}, b"{}", ""), "alg: none"),
        (jwt({"alg": "NoNe"}, b"{}", "x"), "alg: none"),
        (jwt({"alg": "HS256"}, b"{}", ""), "signature is empty"),
        (jwt({"alg": "HS256"}, b"{}"), ""),
        ("opaque.but.dotted", ""),
        ("a.b.", ""),
    ],
)
def test_jwt_without_a_signature_can_be_made_by_anyone(token: str, why: str) -> None:
    """Only of what is a JWT at all."""
    assert why in unsigned(token)
    assert bool(unsigned(token)) is bool(why)
