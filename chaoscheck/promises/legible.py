"""What anybody who holds a text that a service gave out can read in it, without any key."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from chaoscheck.steps.template import Template

LONGEST = 100_000
"""Characters that are looked at, of a text or of what unpacks from it."""
DEPTH = 4
PARTS = 64
ITEMS = 2000
FEW = 5
"""Things that are named, of all that was found."""

_TELLING_KEYS = frozenset(
    (
        *("email", "mail", "emailaddress", "phone", "phonenumber", "mobile"),
        *("address", "street", "streetaddress", "postaladdress"),
        *("birthdate", "birthday", "dateofbirth", "dob", "gender"),
        *("name", "fullname", "realname", "displayname", "firstname", "lastname", "givenname", "familyname", "surname"),
        *("ssn", "socialsecuritynumber", "nationalid", "passport", "passportnumber", "taxid"),
        *("iban", "creditcard", "cardnumber"),
        *("password", "passwd", "pwd", "passphrase", "passwordhash", "pin"),
        *("secret", "clientsecret", "apikey", "privatekey", "secretkey", "signingkey"),
    )
)
"""Of what is personal or secret, whatever stands there; without case and punctuation."""
_NAMES = frozenset({"name", "fullname", "displayname"})
"""Keys under which the account's public id is no news."""
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}")
_LONG_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{3,64}@(?:[A-Za-z0-9-]{3,63}\.){1,8}[A-Za-z]{2,24}")
_LONG = 6
"""Letters that don't come together by chance."""
_PAIR = re.compile(r"""(?<![\w.-])([A-Za-z][\w.-]{1,39})["']?\s*[=:]\s*["']?([^&;,|"'\s{}]+)""")
_PIECE = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){4,}")
_RUNS = re.compile(r"[\x20-\x7e]{6,}")


class Layer(NamedTuple):
    """A text that can be read, and where: "the token itself", "the payload of the JWT", "a base64 part of ...".

    `amid`: these are only the words among other bytes, of which chance makes short ones.
    """

    where: str
    text: str
    amid: bool = False


def layers(token: str) -> list[Layer]:
    """The token and all that can be read in it: parts of a JWT, base64, hex, percent-encoded, compressed, nested."""
    found: list[Layer] = []
    _unfold(Layer("the token itself", token[:LONGEST]), 0, found)
    return found


def jwt_header(token: str) -> dict[str, Any] | None:
    """The header of a JWT; None for anything else."""
    parts = token.split(".")
    if len(parts) not in (3, 5):
        return None
    header = _json(_text(_base64(parts[0]))[0])
    return header if isinstance(header, dict) and ("alg" in header or "typ" in header) else None


def unsigned(token: str) -> str:
    """Why anyone could have made this JWT; "" if none could, or if it isn't one."""
    header = jwt_header(token)
    if header is None:
        return ""
    if str(header.get("alg", "")).lower() == "none":
        return "its header says alg: none"
    return "its signature is empty" if token.count(".") == 2 and token.endswith(".") else ""


def readable(token: str, account: Mapping[str, str], personal: Sequence[str]) -> list[str]:
    """What personal or secret data stands there, in words that don't repeat it.

    `account` are the names of the token's user (user, password and a CSV file's columns), `personal` the plan's words.
    """
    found: dict[str, None] = {}
    for layer in layers(token):
        if (_LONG_EMAIL if layer.amid else _EMAIL).search(layer.text):
            found[f"an e-mail address in {layer.where}"] = None
        for key in _telling_keys(layer, account.get("user", "")):
            found[f"'{key}' in {layer.where}"] = None
        for name, text in account.items():
            if _plain(name) in _TELLING_KEYS and _stands(text, layer):
                found[f"the account's {name} in {layer.where}"] = None
        for word in personal:
            if _stands(Template(word).fill(account), layer):
                found[f"'{word}', which the plan calls personal, in {layer.where}"] = None
    return list(found)


# Unfolding.


def _unfold(layer: Layer, depth: int, found: list[Layer]) -> None:
    if len(found) >= PARTS or not layer.text:
        return
    found.append(layer)
    if depth >= DEPTH:
        return
    if "%" in layer.text and (plain := unquote_plus(layer.text)) != layer.text:
        _unfold(Layer(layer.where, plain), depth + 1, found)
    if depth == 0 and jwt_header(layer.text) is not None:
        for name, part in zip(("header", "payload"), layer.text.split("."), strict=False):
            _unfold(Layer(f"the {name} of the JWT", *_text(_base64(part))), depth + 1, found)
        return
    for way, text, amid in _decoded(layer.text):
        inside = "" if layer.where == "the token itself" else f" of {layer.where}"
        _unfold(Layer(f"a {way} part{inside}", text, layer.amid or amid), depth + 1, found)


def _decoded(text: str) -> Iterator[tuple[str, str, bool]]:
    pieces: dict[str, None] = {}
    for piece in _PIECE.findall(text)[:PARTS]:
        pieces[piece] = None
        pieces.update(dict.fromkeys(part for part in re.split("[_-]", piece) if len(part) >= 8))
    for piece in pieces:
        hexed, amid = _text(bytes.fromhex(piece)) if _HEX.fullmatch(piece) else ("", False)
        if hexed:
            yield "hex", hexed, amid
            continue
        plain, amid = _text(_base64(piece))
        if plain:
            yield "base64", plain, amid


def _base64(piece: str) -> bytes:
    body = piece.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _text(raw: bytes) -> tuple[str, bool]:
    """What of it a reader could make out: all of a text, unpacked if need be, or (True) the words among other bytes."""
    unpacked = _unpacked(raw)
    try:
        text = unpacked.decode()
    except UnicodeDecodeError:
        text = ""
    if text and sum(char.isprintable() or char.isspace() for char in text) >= 0.95 * len(text):
        return text[:LONGEST], len(text) < _LONG
    return "\n".join(_RUNS.findall(unpacked.decode("latin-1")))[:LONGEST], True


def _unpacked(raw: bytes) -> bytes:
    for bits in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        try:
            unpacker = zlib.decompressobj(bits)
            plain = unpacker.decompress(raw, LONGEST)
        except zlib.error:
            continue
        # Almost any bytes begin a raw deflate stream; only a whole one is meant.
        if plain and (unpacker.eof or bits > 0):
            return plain
    return raw


# Reading.


def _telling_keys(layer: Layer, user: str) -> Iterator[str]:
    """Keys that stand for something personal or secret, and have a value."""
    data = _json(layer.text)
    for key, value in _leaves(data) if data is not None else _PAIR.findall(layer.text):
        plain = _plain(key)
        if layer.amid and len(plain) < _LONG - 1:
            continue
        is_user = plain in _NAMES and str(value) == user
        if plain in _TELLING_KEYS and value and not isinstance(value, bool) and not is_user:
            yield key if len(key) <= 40 and key.isascii() and key.isprintable() else plain


def _leaves(data: Any) -> Iterator[tuple[str, Any]]:
    """Every key and its value, however deep."""
    waiting, seen = [data], 0
    while waiting and seen < ITEMS:
        one = waiting.pop()
        seen += 1
        if isinstance(one, dict):
            yield from ((str(key), value) for key, value in one.items())
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _json(text: str) -> Any:
    """An object or a list, None for anything else."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict | list) else None


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _stands(word: str, layer: Layer) -> bool:
    """As a word: a short one must not be found in the middle of random letters."""
    long = len(word) >= _LONG
    if not word or (layer.amid and not long):
        return False
    edge = "A-Za-z0-9" if long else r"\w+/-"
    return re.search(rf"(?<![{edge}]){re.escape(word)}(?![{edge}])", layer.text, re.IGNORECASE) is not None
