"""Recordings become promises; nothing of the recorded person gets into the plan."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from samples.drafts import SAMPLES, asked, drafted, flat, har

from chaoscheck.drafting import har as hars
from chaoscheck.drafting import recorded
from chaoscheck.errors import PlanError

LOGIN = asked(
    "POST", "/api/login", {"access_token": "tok-9f8e7d6c5b4a3210"}, send={"email": "ann@x.org", "password": "hunter2!"}
)
ME = asked("GET", "/api/me", {"user": {"email": "ann@x.org", "id": 7}}, authorization="Bearer tok-9f8e7d6c5b4a3210")


def test_server_rendered_tracker_gets_its_three_promises(tmp_path: Path) -> None:
    """Roundup, recorded in a browser: forms by `submit` without their hidden fields, ids taken, the name read."""
    text, plan = drafted(tmp_path, recording=(SAMPLES / "roundup.har").read_text())
    login, issue, name = (plan.promises[key] for key in ("login", "issue", "realname"))
    assert login.kind == "session"
    assert login.do[0].submit == "/user?@template=register"
    assert login.do[0].form == {
        "username": "$user",
        "password": "$password",
        "@confirm@password": "$password",
        "address": "$user@tracker.example",
    }
    assert login.do[0].take == {"me": "match:/(user[0-9]+)"}
    assert login.see[0].value == "match:Hello, ([^<]+)<"
    assert issue.kind == "kept"
    assert issue.do[0].form == {"title": "$value", "priority": "3"}
    assert issue.do[0].take == {"id": "header:Location /(issue[0-9]+)"}
    assert flat(issue.see[0]) == {"get": "/$id?@template=item", "expect": {"text": "$value"}}
    assert (name.kind, name.do[0].submit, name.see[0].value) == ("register", "/$me", "css:#realname@value")
    assert plan.target.public_url == "http://tracker.example"
    assert "csrf" not in text
    for personal in ("annabel", "s3cret-words", "SwyDYCIhRSj3EfGFR3WwgM75i3JEoBXL8YwoTFClu8U", "kettle", "Lee"):
        assert personal not in text


def test_json_service_gets_login_and_register(tmp_path: Path) -> None:
    """The Notes of targets/node: as its own plans say it."""
    _, plan = drafted(tmp_path, recording=(SAMPLES / "node.har").read_text())
    assert flat(plan.promises["login"].do[0])["json"] == {"user": "$user", "password": "$password"}
    assert flat(plan.promises["login"].see[0]) == {"get": "/me", "value": "json:user", "expect": {"value": "$user"}}
    assert plan.promises["note"].kind == "register"
    assert plan.promises["note"].see[0].value == "json:text"


def test_basic_auth_goes_into_the_target(tmp_path: Path) -> None:
    """Kinto: nobody logs in, so no session; a PUT's status isn't asked, for the second one's is another."""
    text, plan = drafted(tmp_path, recording=(SAMPLES / "kinto.har").read_text())
    assert plan.target.auth == "$user:$password"
    assert {name: promise.kind for name, promise in plan.promises.items()} == {"record": "kept", "mine": "register"}
    assert plan.promises["record"].do[0].take == {"id": "json:data.id"}
    assert plan.promises["record"].see[0].get == "/v1/buckets/default/collections/notes/records/$id"
    assert plan.promises["mine"].do[0].expect is None
    assert "kind: session" not in text
    assert "s3cret" not in text


def test_token_of_the_login_is_taken_and_sent_as_it_was(tmp_path: Path) -> None:
    """Where it is sent later decides; the mail address is the user's name."""
    text, plan = drafted(tmp_path, recording=har(LOGIN, ME))
    login = plan.promises["login"]
    assert flat(login.do[0])["json"] == {"email": "$user", "password": "$password"}
    assert login.do[0].take == {"token": "json:access_token"}
    assert login.see[0].headers == {"Authorization": "Bearer $token"}
    assert login.see[0].value == "json:user.email"
    assert "tok-9f8e" not in text and "hunter2" not in text and "ann@x.org" not in text


def test_token_is_guessed_where_the_browser_cut_credentials_out(tmp_path: Path) -> None:
    """Chrome saves recordings without Authorization and cookies unless told otherwise."""
    bare = asked("GET", "/api/me", {"user": {"email": "ann@x.org"}})
    _, plan = drafted(tmp_path, recording=har(LOGIN, bare))
    assert plan.promises["login"].see[0].headers == {"Authorization": "Bearer $token"}


def test_csrf_token_in_a_header_is_fetched_before(tmp_path: Path) -> None:
    """A page gives it in a cookie; the write sends it in a header."""
    page = asked("GET", "/app", "<p>hi</p>", got_set_cookie="csrftoken=AbCdEf123456; Path=/")
    write = asked("PUT", "/api/bio", "", status=204, send={"bio": "likes kettles"}, X_CSRFToken="AbCdEf123456")
    read = asked("GET", "/api/bio", {"bio": "likes kettles"})
    text, plan = drafted(tmp_path, recording=har(LOGIN, ME, page, write, read))
    fetch, put = plan.promises["bio"].do
    assert (fetch.get, fetch.take) == ("/app", {"csrf": "cookie:csrftoken"})
    assert put.headers == {"X-CSRFToken": "$csrf"}
    assert "AbCdEf" not in text


def test_form_with_a_one_time_token_is_submitted(tmp_path: Path) -> None:
    """Hidden fields and defaults are the form's own; only what was typed stands in the plan."""
    form = (
        '<form action="/notes" method="post"><input type="hidden" name="csrf_token" value="a1b2c3d4e5f6a7b8c9">'
        '<input name="title"><input name="colour" value="red"></form>'
    )
    sent = "csrf_token=a1b2c3d4e5f6a7b8c9&title=Buy+tea+now&colour=red"
    story = [LOGIN, ME, asked("GET", "/notes/new", form), asked("POST", "/notes", "", status=303, send=sent),
             asked("GET", "/notes", "<li>Buy tea now</li>")]  # fmt: skip
    _, plan = drafted(tmp_path, recording=har(*story))
    note = plan.promises["note"]
    assert flat(note.do[0]) == {"submit": "/notes/new", "form": {"title": "$value"}, "expect": {"status": 303}}
    assert note.kind == "kept"
    assert note.see[0].expect is not None
    assert note.see[0].expect.match == ">$value<"


def make(answer: object, *, location: str, status: int = 303, to: str = "/notes") -> dict[str, object]:
    more = {"got_Location": location} if location else {}
    return asked("POST", to, answer, status=status, send={"title": "Buy tea now"}, **more)


THE_LIST = asked("GET", "/notes", "<li>Buy tea now</li>")


@pytest.mark.parametrize(
    ("location", "page", "take", "see"),
    [
        ("/notes/17", "/notes/17", "header:Location notes/([0-9]+)", "/notes/$id"),
        ("http://h/note17?ok=17+made", "/note17?ok=17+made&v=2", "header:Location /(note[0-9]+)", "/$id?v=2"),
        ("/notes/buy-tea-now", "/notes/buy-tea-now", "header:Location notes/([^/?#]+)", "/notes/$id"),
    ],
)  # fmt: skip
def test_kept_object_is_seen_on_the_page_it_was_redirected_to(
    tmp_path: Path, location: str, page: str, take: str, see: str
) -> None:
    """Rather than in a list, and without the message that greets it once."""
    story = [LOGIN, ME, make("", location=location), asked("GET", page, "<h1>Buy tea now</h1>"), THE_LIST]
    text, plan = drafted(tmp_path, recording=har(*story))
    note = next(each for each in plan.promises.values() if each.kind == "kept")
    assert (note.do[0].take, note.see[0].get) == ({"id": take}, see)
    assert "reads a list" not in text


def test_kept_object_is_seen_by_the_id_that_the_answer_names(tmp_path: Path) -> None:
    """The same of JSON."""
    story = [LOGIN, ME, make({"version": 1, "id": 1}, location="", status=201, to="/v1/notes"), THE_LIST,
             asked("GET", "/v1/notes/1", {"id": 1, "title": "Buy tea now"})]  # fmt: skip
    _, plan = drafted(tmp_path, recording=har(*story))
    assert plan.promises["note"].do[0].take == {"id": "json:id"}
    assert plan.promises["note"].see[0].get == "/v1/notes/$id"


def test_credentials_of_a_query_or_a_body_are_not_copied(tmp_path: Path) -> None:
    """An API key travels in many places; a plan is committed, and a report shows its paths."""
    key, pin = "k3y/of=the recording", "pin-48213"
    story = [LOGIN, asked("GET", f"/me?api_key={quote(key, safe='')}", {"user": "ann"}),
             asked("POST", "/notes", {"id": 1}, status=201, send={"title": "Buy tea now", "client_secret": pin}),
             asked("GET", "/notes/1", {"id": 1, "title": "Buy tea now"})]  # fmt: skip
    text, _ = drafted(tmp_path, recording=har(*story))
    assert "title: $value" in text
    assert not any(secret in text for secret in (key, quote(key), quote(key, safe=""), quote_plus(key), pin))
    assert "say here what stands where HIDDEN is" in text


@pytest.mark.parametrize(("location", "to"), [("", "/notes"), ("/notes", "/notes"), ("/notes", "/add")])
def test_list_is_the_last_resort_and_says_what_it_forgets(tmp_path: Path, location: str, to: str) -> None:
    """Back to the list, as many services send one: nothing of the recording shows the object alone."""
    story = [LOGIN, ME, THE_LIST, make("", location=location, to=to), THE_LIST]
    text, plan = drafted(tmp_path, recording=har(*story))
    (note,) = [each for each in plan.promises.values() if each.kind == "kept"]
    assert (note.see[0].get, note.do[0].take) == ("/notes", {})
    assert "see reads a list: one that shows only its newest forgets its oldest" in text


def test_sign_up_before_the_login_is_a_step_of_it(tmp_path: Path) -> None:
    """Users are made as they come; the login is what is judged."""
    signup = asked("POST", "/api/register", {}, status=201, send={"email": "ann@x.org", "password": "hunter2!"})
    _, plan = drafted(tmp_path, recording=har(signup, LOGIN, ME))
    assert [step.post for step in plan.promises["login"].do] == ["/api/register", "/api/login"]
    assert plan.promises["login"].do[0].expect is None


def test_session_nobody_saw_is_left_to_the_user(tmp_path: Path) -> None:
    """A block to fill in, and no promise that can't be tested."""
    write, read = (
        asked("PUT", "/bio", "", send={"bio": "likes kettles"}),
        asked("GET", "/bio", {"bio": "likes kettles"}),
    )
    text, plan = drafted(tmp_path, recording=har(LOGIN, write, read))
    assert list(plan.promises) == ["bio"]
    assert "  #   kind: session" in text
    assert "say here: which GET shows who is logged in" in text


def test_other_sites_and_failures_are_left_out(tmp_path: Path) -> None:
    """A tracker's pixel, a refused login, a write that failed."""
    story = [
        asked("GET", "https://metrics.example/pixel", ""),
        asked("POST", "/api/login", {}, status=401, send={"email": "ann@x.org", "password": "hunter3!"}),
        LOGIN, ME, asked("PUT", "/bio", "", status=500, send={"bio": "likes kettles"}),
        asked("GET", "/bio", {"bio": "likes kettles"}),
    ]  # fmt: skip
    text, plan = drafted(tmp_path, recording=har(*story))
    assert list(plan.promises) == ["login"]
    assert plan.promises["login"].do[0].expect is not None
    assert plan.promises["login"].do[0].expect.statuses == (200,)
    assert "metrics" not in text and "hunter3" not in text


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"log": {"entries": []}}', '{"log": {"entries": [1, {"request": 3}]}}']
)
def test_what_is_no_recording_is_refused_in_a_sentence(text: str) -> None:
    """With how to make one."""
    with pytest.raises(PlanError) as error:
        hars.read(text, "x.har")
    assert "Save all as HAR" in error.value.hint


def test_recording_without_a_login_is_refused() -> None:
    """It was begun too late, or without contents."""
    with pytest.raises(PlanError, match="nobody logs in"):
        recorded.promises(hars.read(har(asked("GET", "/", "<p>hi</p>")), "x.har"), "x.har")


def test_odd_entries_do_not_break_it() -> None:
    """Recordings of other tools lack this and that."""
    odd = har({"request": {"url": "http://h/x", "method": None}, "response": None}, {"request": {"url": 5}}, LOGIN, ME)
    assert recorded.promises(hars.read(odd, "x.har"), "x.har")
