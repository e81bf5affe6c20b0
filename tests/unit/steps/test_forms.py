"""A form is filled in and sent as a browser would."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from chaoscheck.steps.base import Answer, Trouble
from chaoscheck.steps.forms import NoForm, encode, find_form
from chaoscheck.steps.read import Page

URL = "https://shop.test/notes/new?tab=1"


def page(html: str) -> Page:
    return Page(Answer(200, (), html.encode(), Trouble.NONE, True, 0, 1))


def sent(html: str, typed: dict[str, str]) -> tuple[str, str, list[tuple[str, str]]]:
    form = find_form(page(html), URL, typed)
    path, body, _ = encode(form, typed, "b")
    return form.method, path, parse_qsl(body.decode(), keep_blank_values=True)


CONTROLS = """<form method=POST action=save>
  <input type=hidden name=csrf value=tok><input name=title value=old><input name=other value=kept>
  <input type=checkbox name=c1 checked>
  <input type=checkbox name=c2 value=x><input type=radio name=r value=1><input type=radio name=r value=2 checked>
  <select name=s><option value=a>A<option value=b selected>B</select><select name=s2>
  <option>first<option>second</select>
  <select name=m multiple><option>x<option selected>y<option selected>z</select><select name=none multiple>
  <option>x</select>
  <textarea name=t>
some text</textarea><input name=off disabled value=1><input value=nameless><input type=file name=f>
  <input type=reset name=no value=no>
  <input type=submit name=go value=Save><button name=del value=1>Delete</button></form>"""


def test_form_carries_what_a_browser_would() -> None:
    """Hidden fields, defaults, what is chosen and the first button go along; what is off or unchecked doesn't."""
    method, path, fields = sent(CONTROLS, {"title": "new & é"})
    assert (method, path) == ("POST", "/notes/save")
    assert fields == [
        ("csrf", "tok"),
        ("title", "new & é"),
        ("other", "kept"),
        ("c1", "on"),
        ("r", "2"),
        ("s", "b"),
        ("s2", "first"),
        ("m", "y"),
        ("m", "z"),
        ("t", "some text"),
        ("go", "Save"),
    ]


MANY = """<form action=/search><input name=q></form><form method=post action=/a><input name=title></form>
<form method=post action=/b><input name=title><input name=text></form>"""


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ({"title": "1"}, "/a"),
        ({"title": "1", "text": "2"}, "/b"),
        ({"text": "2"}, "/b"),
        ({"q": "a b"}, "/search?q=a+b"),
    ],
)
def test_form_of_many_is_the_one_with_your_fields(typed: dict[str, str], path: str) -> None:
    assert sent(MANY, typed)[1] == path


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ("action='/abs?x=1'", "/abs?x=1"),
        ("action=rel", "/notes/rel"),
        ("action='?y=2'", "/notes/new?y=2"),
        ("action=''", "/notes/new?tab=1"),
        ("", "/notes/new?tab=1"),
        ("action='https://shop.test/full'", "/full"),
        ("action='//shop.test/p'", "/p"),
        ("action='/a b'", "/a%20b"),
    ],
)
def test_action_is_resolved_against_the_page(action: str, path: str) -> None:
    assert sent(f"<form method=post {action}><input name=a></form>", {"a": "1"})[1] == path


def test_action_is_resolved_against_the_base_if_there_is_one() -> None:
    assert sent("<base href='/app/'><form method=post action=x><input name=a></form>", {"a": "1"})[1] == "/app/x"


def test_control_elsewhere_that_names_the_form_belongs_to_it() -> None:
    html = "<form id=f method=post></form><input form=f name=a><form method=post action=/x><input name=b></form>"
    assert sent(html, {"a": "1"})[2] == [("a", "1")]


@pytest.mark.parametrize(
    ("html", "why"),
    [
        ("<p>no", "the page has no form"),
        ("", "the page has no form"),
        ("<form><input name=a></form>", "no form of the page has the field b"),
        ("<form method=post action=http://evil.test/x><input name=b></form>", "the form posts to another host"),
        ("<form method=post action='http://[x'><input name=b></form>", "isn't an address"),
    ],
)
def test_page_without_the_form_says_why(html: str, why: str) -> None:
    with pytest.raises(NoForm, match=why):
        find_form(page(html), URL, {"b": "1"})


def test_multipart_form_is_sent_as_multipart() -> None:
    """An upload form gets its fields in parts."""
    form = find_form(
        page("<form method=post enctype=multipart/form-data action=/u><input name='a\"b'></form>"), URL, {'a"b': "é"}
    )
    path, body, kind = encode(form, {'a"b': "é"}, "BOUND")
    assert (path, kind) == ("/u", "multipart/form-data; boundary=BOUND")
    assert body == '--BOUND\r\nContent-Disposition: form-data; name="a%22b"\r\n\r\né\r\n--BOUND--\r\n'.encode()


def test_field_filled_in_once_replaces_all_of_its_name() -> None:
    """A checkbox with its hidden twin, as frameworks write them, is sent once."""
    html = "<form method=post><input type=hidden name=ok value=0><input type=checkbox name=ok value=1 checked></form>"
    assert sent(html, {"ok": "1"})[2] == [("ok", "1")]
