"""Steps become the requests that a browser at the public address would send."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chaoscheck.errors import PlanError
from chaoscheck.model.wire import REQUEST_HEADER
from chaoscheck.plan.steps import Promise, Step
from chaoscheck.steps.base import Wire
from chaoscheck.steps.jar import Jar
from chaoscheck.steps.prepared import check_names
from chaoscheck.steps.render import CompiledStep, Origin, header_safe, names_needed, origin_form

ORIGIN = Origin(url="https://shop.test:8443", forwarded="https", extra={"X-Forwarded-For": "10.0.0.$n", "X-All": "1"})


def wire(
    step: dict[str, Any],
    names: dict[str, str] | None = None,
    *,
    defaults: dict[str, str] | None = None,
    auth: str | None = None,
) -> Wire:
    jar = Jar(ORIGIN.url)
    jar.absorb("/", ["sid=s1; Path=/"])
    made = CompiledStep(Step.model_validate(step), ORIGIN, defaults=defaults, auth=auth, timeout_s=3.0)
    return made.wire({"value": "a b/c?&é", "user": "al", "n": "7"} | (names or {}), jar, "rid-1")


def headers(wire: Wire) -> dict[str, str]:
    assert len({name.lower() for name, _ in wire.headers}) == len(wire.headers)
    return {name.lower(): value for name, value in wire.headers}


def test_get_carries_what_a_browser_says_of_itself() -> None:
    """Host, proto and the target's headers follow the public address; the id goes along; no Origin on reads."""
    sent = headers(wire({"get": "/me"}))
    assert sent["host"] == "shop.test:8443"
    assert sent["x-forwarded-proto"] == "https"
    assert (sent["x-forwarded-for"], sent["x-all"]) == ("10.0.0.7", "1")
    assert sent["cookie"] == "sid=s1"
    assert sent[REQUEST_HEADER.lower()] == "rid-1"
    assert sent["user-agent"].startswith("chaoscheck/")
    assert "origin" not in sent


def test_write_carries_its_origin() -> None:
    """Servers that check Origin or Referer against forgery see the public address."""
    sent = headers(wire({"post": "/x"}))
    assert (sent["origin"], sent["referer"]) == ("https://shop.test:8443", "https://shop.test:8443/")


@pytest.mark.parametrize(
    ("path", "rendered"),
    [
        ("/cart/$value", "/cart/a%20b%2Fc%3F%26%C3%A9"),
        ("/find?q=${value}&n=1", "/find?q=a%20b%2Fc%3F%26%C3%A9&n=1"),
        ("/a b/é?x=50%25", "/a%20b/%C3%A9?x=50%25"),
        ("/price$$1", "/price$1"),
        ("$next", "/items/7?tab=1"),
        ("relative", "/relative"),
    ],
)
def test_path_quotes_what_is_filled_in(path: str, rendered: str) -> None:
    """A name is one part of a path, whatever is in it; a path that is all name is an address taken from an answer."""
    assert wire({"get": path}, {"next": "https://shop.test:8443/items/7?tab=1#top"}).path == rendered


def test_json_is_filled_in_at_any_depth() -> None:
    """Strings anywhere are templates; other values stay what they are."""
    body = wire({"post": "/x", "json": {"a": ["$value", {"$user": "$$5 ${user}!"}], "n": 1, "t": True, "z": None}}).body
    assert json.loads(body) == {"a": ["a b/c?&é", {"al": "$5 al!"}], "n": 1, "t": True, "z": None}


@given(st.text(), st.text())
def test_body_is_undone_by_its_parser(value: str, user: str) -> None:
    """Whatever is filled in, JSON and forms give it back as it was."""
    names = {"value": value.encode("utf-8", "replace").decode(), "user": user.encode("utf-8", "replace").decode()}
    assert json.loads(wire({"post": "/x", "json": {"v": "<$value>", "u": "$user"}}, names).body) == {
        "v": f"<{names['value']}>",
        "u": names["user"],
    }
    form = wire({"post": "/x", "form": {"v": "100% $value", "&u": "$user", "k": "a&b=c"}}, names).body.decode("ascii")
    assert parse_qsl(form, keep_blank_values=True) == [
        ("v", f"100% {names['value']}"),
        ("&u", names["user"]),
        ("k", "a&b=c"),
    ]


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ({"post": "/", "json": {}}, "application/json"),
        ({"post": "/", "form": {"a": "1"}}, "application/x-www-form-urlencoded"),
        ({"post": "/", "json": {}, "headers": {"content-type": "application/vnd.x+json"}}, "application/vnd.x+json"),
    ],
)
def test_body_says_its_type_unless_the_plan_does(step: dict[str, Any], kind: str) -> None:
    assert headers(wire(step))["content-type"] == kind


def test_headers_of_the_step_win_over_defaults_and_defaults_over_the_target() -> None:
    """The nearest word counts, whatever its case."""
    sent = headers(
        wire({"get": "/", "headers": {"x-ALL": "3", "Host": "other"}}, defaults={"X-All": "2", "X-Mine": "$user"})
    )
    assert (sent["x-all"], sent["host"], sent["x-mine"]) == ("3", "other", "al")


def test_header_whose_name_nothing_has_set_is_left_out() -> None:
    """A client without a token sends no empty Authorization: that is how a guest reads."""
    step = {"get": "/me", "headers": {"Authorization": "Bearer $token"}}
    assert "authorization" not in headers(wire(step))
    assert headers(wire(step, {"token": "t1"}))["authorization"] == "Bearer t1"


def test_auth_is_basic() -> None:
    assert headers(wire({"get": "/", "auth": "$user:pw"}))["authorization"] == "Basic YWw6cHc="


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        ({"get": "/"}, "Basic YWw6cHc="),
        ({"get": "/", "auth": "bob:pw"}, "Basic Ym9iOnB3"),
        ({"get": "/", "headers": {"authorization": "Bearer t"}}, "Bearer t"),
        ({"get": "/", "auth": "bob:pw", "headers": {"Authorization": "Bearer t"}}, "Basic Ym9iOnB3"),
        ({"get": "/", "auth": "$unset:pw"}, None),
    ],
)
def test_auth_of_the_target_holds_unless_the_step_has_credentials(step: dict[str, Any], sent: str | None) -> None:
    """One Authorization at most; one that mentions what nothing has set is left out."""
    assert headers(wire(step, auth="$user:pw")).get("authorization") == sent


def test_auth_of_the_target_whose_name_nothing_has_set_is_left_out() -> None:
    """Before an account has its id nobody sends half of it."""
    assert "authorization" not in headers(wire({"get": "/"}, auth="$id:pw"))
    assert headers(wire({"get": "/"}, {"id": "al"}, auth="$id:pw"))["authorization"] == "Basic YWw6cHc="


def test_auth_without_a_password_is_an_error_of_the_plan() -> None:
    with pytest.raises(ValidationError, match="user:password"):
        Step.model_validate({"get": "/", "auth": "$user"})


def test_header_value_can_not_begin_another_header() -> None:
    """A value taken from a hostile answer stays one value."""
    sent = headers(wire({"get": "/", "headers": {"X-T": "$t"}}, {"t": "a\r\nX-Evil: 1\0é"}))
    assert sent["x-t"] == "aX-Evil: 1Ã©"
    assert header_safe("plain") == "plain"


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/a?b#c", "/a?b"),
        ("http://h/a b", "/a%20b"),
        ("http://h", "/"),
        ("http://h?q=1", "/?q=1"),
        ("//h/x", "/x"),
    ],
)
def test_address_becomes_origin_form(address: str, path: str) -> None:
    assert origin_form(address) == path


def test_step_waits_as_long_as_it_says() -> None:
    assert (wire({"get": "/"}).timeout_s, wire({"get": "/", "timeout": "7s"}).timeout_s) == (3.0, 7.0)


def test_dollar_that_begins_no_name_is_a_plan_error() -> None:
    with pytest.raises(PlanError, match="begins no name") as raised:
        CompiledStep(Step.model_validate({"get": "/x$"}), ORIGIN)
    assert "$$" in raised.value.hint


def test_names_needed_are_found_wherever_they_stand() -> None:
    """Every part of a step is looked through; the end of a regular expression is no name."""
    step = Step.model_validate(
        {
            "post": "/$a",
            "json": {"$b": ["${c}"]},
            "headers": {"X": "$d"},
            "auth": "$e:$f",
            "value": "json:x",
            "expect": {"text": "$g", "match": "^$h$", "value": "$i", "header": {"X": "$j"}},
            "refused": "$k",
            "gone": {"match": "($|$l)"},
        }
    )
    assert names_needed(step) == frozenset("abcdefghijkl")


def test_name_that_nothing_sets_is_found_before_traffic() -> None:
    """A misspelt name is an error of the plan that says where and what was meant."""
    promise = Promise.model_validate(
        {
            "kind": "register",
            "do": {"put": "/p", "body": "$value", "take": {"etag": "header:ETag"}},
            "see": {"get": "/p", "headers": {"If-Match": "$etagg"}},
        }
    )
    with pytest.raises(PlanError, match=r"promise 'p': see of /p uses \$etagg") as raised:
        check_names({"p": promise})
    assert raised.value.hint == "did you mean 'etag'?"
    check_names({"p": promise}, ["etagg"], "$user:$etag")
    with pytest.raises(PlanError, match=r"target.auth uses \$usr") as raised:
        check_names({"p": promise}, ["etagg"], "$usr:$password")
    assert raised.value.hint == "did you mean 'user'?"
