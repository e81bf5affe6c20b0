"""Values come out of answers as the plan says, and hostile answers do no harm."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.errors import PlanError
from chaoscheck.plan.steps import Expect
from chaoscheck.steps.base import Answer, Trouble
from chaoscheck.steps.read import TEXT_LIMIT, Expectation, Page, Reader, meets

SHOP = b'{"user":"al","n":7,"ok":true,"none":null,"items":[{"sku":"a"},{"sku":"b","x":{"y":[1,2]}}],"a.b":"dotted"}'
PAGE = (
    b"<html><body><h1 id=t> Hi <b>you</b> </h1><form><input name=csrf value='tok'>"
    b"<input name=x value=1></form><li class=i>one</li><li class=i>two &amp; \xc3\xa9</li>"
)


def answer(body: bytes, *headers: tuple[str, str], status: int = 200) -> Answer:
    return Answer(status, headers, body, Trouble.NONE, True, 0, 1)


@pytest.mark.parametrize(
    ("text", "body", "found"),
    [
        ("json:user", SHOP, ["al"]),
        ("json:n", SHOP, ["7"]),
        ("json:ok", SHOP, ["true"]),
        ("json:none", SHOP, []),
        ("json:missing", SHOP, []),
        ("json:user.name", SHOP, []),
        ("json:items[*].sku", SHOP, ["a", "b"]),
        ("json:items[1].x.y[0]", SHOP, ["1"]),
        ("json:items[9].sku", SHOP, []),
        ("json:items[1].x", SHOP, ['{"y":[1,2]}']),
        ('json:["a.b"]', SHOP, ["dotted"]),
        ("json:[0]", b'["x"]', ["x"]),
        ("json:", b'"all"', ["all"]),
        ("json:a", b"not json", []),
        ("json:a", b"[" * 100_000, []),
        ("json:a", b'{"a":' + b"9" * 5000 + b"}", []),
        ("css:#t", PAGE, ["Hi you"]),
        ("css:li.i", PAGE, ["one", "two & é"]),
        ("css:input[name=csrf]@value", PAGE, ["tok"]),
        ("css:input@value", PAGE, ["tok", "1"]),
        ("css:p", PAGE, []),
        ("css:p", b"", []),
        ("css:p", b"\x00\xff<p", []),
        ("css:i", b"<div>" * 50_000 + b"<i>deep", ["deep"]),
        ('match:sku":"(\\w)', SHOP, ["a", "b"]),
        ("match:us.r", SHOP, ["user"]),
        ("match:zz", SHOP, []),
        ("header:x-id", SHOP, ["1", "2"]),
        ("header:no", SHOP, []),
        ("header:x-id ([2-9])", SHOP, ["2"]),
        ("header:no (.)", SHOP, []),
        ("cookie:sid", SHOP, ["s 1"]),
        ("cookie:no", SHOP, []),
    ],
)
def test_reader_finds_what_the_plan_names(text: str, body: bytes, found: list[str]) -> None:
    """All that is there, in order, as text; nothing when it isn't there or the body is no such thing."""
    page = Page(answer(body, ("X-Id", "1"), ("x-ID", "2"), ("Set-Cookie", "sid=s 1; Path=/")))
    if text == "css:i":
        # lxml gives up on nesting beyond its own limit, which is as good as not there.
        assert Reader(text).all(page) in (found, [])
        return
    assert Reader(text).all(page) == found
    assert Reader(text).first(page) == (found[0] if found else None)


@pytest.mark.parametrize(
    ("text", "body", "there"),
    [
        ("json:items[*].sku", b'{"items":[]}', True),
        ("json:items[*].sku", b'{"items":[{"sku":"a"}]}', True),
        ("json:items[*].sku", b'{"error":"log in"}', False),
        ("json:[*].sku", b"[]", True),
        ("json:[*].sku", b"{}", False),
        ("json:user", b'{"user":null}', False),
        ("json:items", b'{"items":[]}', True),
        ("css:li", b"<ul></ul>", False),
    ],
)
def test_list_that_is_empty_is_there_and_one_that_is_missing_is_not(text: str, body: bytes, there: bool) -> None:
    """An emptied cart was read; an answer without any cart was not."""
    assert Reader(text).there(Page(answer(body))) is there


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            b"<!DOCTYPE html><html><head><title> My\n shop</title><style>p{}</style></head><body><script>x()</script>"
            b"<h1>Sign  in</h1><p hidden>no</p><p>Wrong <b>password</b><!-- no --></p><noscript>no</noscript></body>",
            "My shop | Sign in Wrong password",
        ),
        (b"<p>no title", "no title"),
        (b"<html><head><title>only</title></head><body></body></html>", "only"),
        (b"<script>x()</script>", "<script>x()</script>"),
        (b"plain words", "plain words"),
        (b"", ""),
    ],
)
def test_page_is_shown_by_its_title_and_visible_words(body: bytes, shown: str) -> None:
    """Whoever reads a report wants to know what the user saw, not which doctype it had."""
    assert Page(answer(body, ("Content-Type", "text/html; charset=utf-8"))).shown == shown


def test_answer_that_is_no_page_is_shown_as_it_is() -> None:
    assert Page(answer(b'{"a": "<b>"}', ("Content-Type", "application/json"))).shown == '{"a": "<b>"}'


@pytest.mark.parametrize("text", ["user", "xpath:/a", "json:a[", "json:a..b", "css:[", "match:(", "css:a:::b"])
def test_reader_that_can_not_be_is_a_plan_error(text: str) -> None:
    """A mistake is found when the plan is made ready, with a hint."""
    with pytest.raises(PlanError) as raised:
        Reader(text)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("body", "headers", "text"),
    [
        ("é".encode("latin-1"), {"Content-Type": "text/html; charset=ISO-8859-1"}, "é"),
        ("é".encode(), {"Content-Type": "text/html"}, "é"),
        ("é".encode(), {"Content-Type": "text/html; charset=klingon"}, "é"),
        (b"ab", {"Content-Type": "text/html; charset=hex"}, "ab"),
        (b"\xff\xfe", {}, "\ufffd\ufffd"),
        (gzip.compress(b"packed", mtime=0), {"Content-Encoding": "gzip"}, "packed"),
        (zlib.compress(b"packed"), {"Content-Encoding": "deflate"}, "packed"),
        (b"not packed", {"Content-Encoding": "gzip"}, "not packed"),
    ],
)
def test_text_is_decoded_as_said_or_as_well_as_can_be(body: bytes, headers: dict[str, str], text: str) -> None:
    assert Page(answer(body, *headers.items())).text == text


def test_text_is_bounded_even_if_it_was_packed() -> None:
    """A body that unpacks to gigabytes costs a bounded part of them."""
    bomb = gzip.compress(b"x" * (TEXT_LIMIT * 5))
    assert len(Page(answer(bomb, ("Content-Encoding", "gzip"))).text) == TEXT_LIMIT
    assert len(Page(answer(b"x" * (TEXT_LIMIT + 5))).text) == TEXT_LIMIT


@given(
    st.binary(max_size=300),
    st.sampled_from(["json:a[*].b", "css:a@href", "match:(a|b)+", "cookie:a", "header:a"]),
    st.text(max_size=20),
)
def test_reader_of_any_bytes_never_raises(body: bytes, text: str, kind: str) -> None:
    page = Page(answer(body, ("Content-Type", kind), ("Content-Encoding", kind), ("Set-Cookie", kind), ("a", kind)))
    assert all(isinstance(item, str) for item in Reader(text).all(page))
    for item in Reader(text).all(page):
        item.encode()
    Page(answer(body, ("Content-Type", "text/html"))).shown.encode()


ECHO = answer(b'hello al, "v.1" costs $5', ("X-A", "one"), status=201)


@pytest.mark.parametrize(
    ("expect", "holds"),
    [
        ({"status": 201}, True),
        ({"status": [200, 201]}, True),
        ({"status": 200}, False),
        ({}, True),
        ({"text": "hello $user"}, True),
        ({"text": "hello $value"}, False),
        ({"text": "costs $5"}, True),
        ({"match": "^hello \\w+,"}, True),
        ({"match": '"$value"'}, True),
        ({"match": "^$"}, False),
        ({"match": "\\$5$"}, True),
        ({"value": "$user"}, True),
        ({"value": "bob"}, False),
        ({"header": {"x-a": "^o"}}, True),
        ({"header": {"x-a": "two"}}, False),
        ({"header": {"x-b": ""}}, False),
        ({"status": 201, "text": "nope"}, False),
    ],
)
def test_expectation_holds_if_all_of_it_does(expect: dict[str, object], holds: bool) -> None:
    """Names stand for themselves in regular expressions; every key that is set must hold."""
    said = Expect.model_validate(expect)
    names = {"user": "al", "value": "v.1"}
    assert meets(said, ECHO, names, "al") is holds
    unmet = Expectation(said, frozenset({201})).unmet(Page(ECHO), names, "al")
    assert bool(unmet) is not holds


@pytest.mark.parametrize("key", ["text", "match"])
@pytest.mark.parametrize(
    ("template", "body", "holds"),
    [
        ("$value", "run.s1.1", True),
        ("$value", "run.s1.10", False),
        ("$value", "run.s1.10 and run.s1.1, too", True),
        ("$value", "xrun.s1.1", False),
        ("<$value", "<run.s1.1", True),
        ("<$value", "<run.s1.12", False),
        ("no$value", "norun.s1.1", True),
        ("$value", "", False),
        ("$unset", "anything", False),
    ],
)
def test_name_is_found_as_a_whole_word(key: str, template: str, body: str, holds: bool) -> None:
    """The tenth write can't hide the loss of the first, and a name that stands for nothing isn't everywhere."""
    expect = Expect.model_validate({key: template})
    assert meets(expect, answer(body.encode()), {"value": "run.s1.1", "unset": ""}, None) is holds


def test_name_in_a_pattern_is_no_pattern() -> None:
    """A value with a dot in it doesn't match what merely looks like it."""
    assert not meets(Expect(match=">$value<"), answer(b">vx1<"), {"value": "v.1"}, None)
