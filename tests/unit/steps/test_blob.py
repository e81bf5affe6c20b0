"""Files that describe themselves: whole ones name their value, torn ones show, and others' are told apart."""

from __future__ import annotations

import gzip
from email.parser import BytesParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan.steps import Promise, Step
from chaoscheck.steps.base import Answer, Trouble
from chaoscheck.steps.blob import (
    BLOCK,
    FOREIGN,
    TORN,
    carries_file,
    content,
    file_name,
    is_empty,
    read_back,
    values_in,
)
from chaoscheck.steps.jar import Jar
from chaoscheck.steps.prepared import check_names, prepare
from chaoscheck.steps.read import Page
from chaoscheck.steps.render import CompiledStep, Origin

A, B = "20261122-101530-shop-1a2b.w0s1.3", "20261122-101530-shop-1a2b.w0s2.1"
SIZES = st.one_of(st.integers(64, 3 * BLOCK), st.just(64_000))
ORIGIN = Origin(url="http://shop.test")


@given(size=SIZES, seq=st.integers(0, 10**6))
def test_whole_file_reads_back_as_its_value(size: int, seq: int) -> None:
    """Whatever its length, and byte for byte the same each time; a short one grows to hold its own name."""
    value = f"run.w0s1.{seq}"
    body = content(value, size)
    assert body == content(value, size)
    assert size <= len(body) <= max(size, 100)
    assert read_back(body, size) == value


@given(size=SIZES, cut=st.floats(0, 1, exclude_max=True))
def test_file_cut_anywhere_is_torn(size: int, cut: float) -> None:
    """Down to no byte at all."""
    body = content(A, size)
    kept = int(len(body) * cut)
    seen = read_back(body[:kept], size)
    assert seen.startswith(f"{TORN}{kept} of ")
    assert is_empty(seen) == (kept == 0)
    assert values_in(seen) == ([A] if kept >= len(A) + 40 else values_in(seen))


@given(size=SIZES, at=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255))
def test_file_with_one_byte_changed_is_never_whole(size: int, at: float, byte: int) -> None:
    """Any of them."""
    body = bytearray(content(A, size))
    place = int(len(body) * at)
    body[place] ^= byte
    assert read_back(bytes(body), size) not in (A, B)


@given(size=st.integers(2 * BLOCK, 20 * BLOCK), share=st.floats(0.2, 0.8))
def test_mixture_of_two_versions_is_torn_and_names_both(size: int, share: float) -> None:
    """The beginning of the newer one over the older one, as a writer in place leaves it."""
    cut = max(BLOCK, int(size * share) // BLOCK * BLOCK)
    seen = read_back(content(A, size)[:cut] + content(B, size)[cut:], size)
    assert seen.startswith(f"{TORN}{size} of {size}:")
    assert values_in(seen) == ([A, B] if cut < size else [A])


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body + b"x",
        lambda body: body[BLOCK:] + body[:BLOCK],
        lambda body: body[:BLOCK] * (len(body) // BLOCK),
        lambda body: body[:100] + b"\0" * 50 + body[150:],
        lambda body: b"\0" * BLOCK + body[BLOCK:],
    ],
    ids=["longer", "rotated", "repeated", "holes", "begins-with-a-hole"],
)
def test_damage_of_other_sorts_is_torn(damage: Any) -> None:
    """It is ours, and not whole."""
    assert read_back(damage(content(A, 8 * BLOCK)), 8 * BLOCK).startswith(TORN)


@given(st.binary(min_size=1, max_size=300))
def test_body_of_another_make_is_foreign_and_told_shortly(body: bytes) -> None:
    """A login page, a default picture, garbage: never a value, never long."""
    seen = read_back(body, 64_000)
    assert seen.startswith((FOREIGN, TORN))
    assert len(seen) < 80


def test_header_that_claims_a_huge_length_costs_nothing() -> None:
    """What a service answered is hostile."""
    assert read_back(b"[chaoscheck run.s.1 999999999999 0]\n", 64).startswith(TORN)


def test_file_name_is_of_the_value_and_safe() -> None:
    assert file_name(A) == f"{A}.bin"
    assert file_name('../"x y"') == "x-y.bin"


# Requests.


def sent(step: dict[str, Any], size: int = 1000) -> tuple[dict[str, str], bytes]:
    compiled = CompiledStep(Step.model_validate(step), ORIGIN, size=size)
    wire = compiled.wire({"value": A, "user": "al"}, Jar(ORIGIN.url), "rid-1")
    return {name.lower(): value for name, value in wire.headers}, wire.body


def test_raw_upload_sends_the_file_as_its_body() -> None:
    """With a type of its own, unless the plan says another."""
    headers, body = sent({"put": "/files/$value", "body": "$blob"})
    assert (headers["content-type"], body) == ("application/octet-stream", content(A, 1000))
    said = {"put": "/f", "body": "$blob", "headers": {"Content-Type": "image/png"}}
    assert sent(said)[0]["content-type"] == "image/png"


def test_upload_is_multipart_with_the_form_s_fields_beside_it() -> None:
    """As a browser sends it, the file's name from its value."""
    headers, body = sent({"post": "/up", "upload": "file", "form": {"title": "of $user"}})
    message = BytesParser().parsebytes(b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + body)
    title, file = message.get_payload()  # type: ignore[misc]
    assert (title.get_param("name", "", "content-disposition"), title.get_payload()) == ("title", "of al")
    assert (file.get_param("name", "", "content-disposition"), file.get_filename()) == ("file", f"{A}.bin")
    assert file.get_payload(decode=True) == content(A, 1000)


def test_steps_that_carry_a_file_are_known() -> None:
    assert carries_file(Step.model_validate({"post": "/", "upload": "f"}))
    assert carries_file(Step.model_validate({"put": "/", "body": "${blob}"}))
    assert not carries_file(Step.model_validate({"put": "/", "body": "$value"}))


def test_blob_inside_of_a_longer_body_is_a_name_that_nothing_sets() -> None:
    """It stands for the whole body only."""
    said = {"kind": "blob", "do": {"put": "/f", "body": "x=$blob"}, "see": {"get": "/f"}}
    with pytest.raises(PlanError, match=r"\$blob, which nothing sets"):
        check_names({"files": Promise.model_validate(said)})
    check_names({"files": Promise.model_validate({**said, "do": {"put": "/f", "body": "$blob"}})})


# Answers.


def read(body: bytes, *headers: tuple[str, str], status: int = 200) -> str | None:
    said = {"kind": "blob", "size": 1000, "do": {"put": "/f", "body": "$blob"}, "see": {"get": "/f"}}
    see = prepare({"p": Promise.model_validate(said)}, ORIGIN, 1.0)["p"].action("see")[0]
    return see.judge(Page(Answer(status, headers, body, Trouble.NONE, True, 0, 1)), {"value": A}).read


def test_download_is_read_raw_whatever_type_it_says() -> None:
    """Bytes are bytes: no charset touches them, and a content coding is undone."""
    body = content(A, 1000)
    assert read(body, ("Content-Type", "text/html; charset=utf-16")) == A
    assert read(gzip.compress(body), ("Content-Encoding", "gzip")) == A
    assert read(gzip.compress(body)[:60], ("Content-Encoding", "gzip")) != A


def test_download_that_is_far_too_long_is_torn_and_short_to_tell() -> None:
    """A bomb or a mistake: its end is not looked at."""
    seen = read(gzip.compress(content(A, 1000) + b"\0" * 5_000_000), ("Content-Encoding", "gzip"))
    assert seen is not None
    assert seen.startswith(f"{TORN}101000 of 1000:")


def test_answers_without_success_are_not_files() -> None:
    assert read(b"<h1>Not found</h1>", status=404) is None
