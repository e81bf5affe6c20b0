"""An action's requests go out in order, recorded before they are sent, and the last one is judged."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from chaoscheck.errors import PlanError
from chaoscheck.model.clock import MonotonicClock
from chaoscheck.model.ops import Lane, Op
from chaoscheck.model.places import Address
from chaoscheck.model.wire import BALANCER_HEADER, INSTANCE_HEADER, REQUEST_HEADER
from chaoscheck.plan.plan import Target
from chaoscheck.plan.steps import Promise
from chaoscheck.steps.base import Answer, Trouble, Wire
from chaoscheck.steps.calls import Call, Done
from chaoscheck.steps.client import Client
from chaoscheck.steps.jar import Jar
from chaoscheck.steps.perform import WRONG_USER, Exchange, Performer

ORIGIN = "https://shop.test"
Service = Callable[[Wire, Mapping[str, str]], Answer]


def answer(status: int, body: object = "", *headers: tuple[str, str]) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer(status, headers, text.encode(), Trouble.NONE, True, 0, 1)


def trouble(kind: Trouble, *, sent: bool) -> Answer:
    return Answer(0, (), b"", kind, sent, 0, 1)


class Journal:
    """Keeps rows in memory, in the order in which they were written."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, Op]] = []

    def invoke(self, op: Op) -> None:
        self.rows.append(("invoke", op))

    def done(self, op: Op) -> None:
        self.rows.append(("done", op))

    @property
    def ops(self) -> list[Op]:
        return [op for what, op in self.rows if what == "done"]


class Router:
    """The balancer, then `others` incarnations."""

    def __init__(self, via: str = "lb", others: int = 0) -> None:
        self.via = via
        self.others = others
        self.picked: list[int] = []

    def pick(self, attempt: int) -> tuple[str, Address]:
        self.picked.append(attempt)
        return (self.via if attempt == 0 else f"web-{attempt}.1"), Address("127.0.0.1", 8000 + attempt)

    def another(self, attempt: int) -> bool:
        return attempt <= self.others


class Stage:
    """A performer in front of a service that is a function; it checks that each attempt was recorded before it came."""

    def __init__(self, promises: dict[str, Any], service: Service, *, auth: str | None = None, **more: Any) -> None:
        self.service = service
        self.journal = Journal()
        self.wires: list[Wire] = []
        self.addresses: list[Address] = []
        self.fresh: list[bool] = []
        numbers = itertools.count()
        self.clock = MonotonicClock()
        self.performer = Performer(
            {name: Promise.model_validate(promise) for name, promise in promises.items()},
            Target(image="x", public_url=ORIGIN, auth=auth),
            "http://127.0.0.1:1",
            self,
            self.journal,
            self.clock,
            lambda: f"rid-{next(numbers)}",
            **more,
        )
        self.client = Client(session="s1", jar=Jar(ORIGIN), names={"user": "al", "password": "pw"})

    def send(self, address: Address, wire: Wire, *, fresh: bool = False) -> Answer:
        headers = {name.lower(): value for name, value in wire.headers}
        what, op = self.journal.rows[-1]
        assert (what, op.rid, op.done_ns) == ("invoke", headers[REQUEST_HEADER.lower()], -1)
        self.wires.append(wire)
        self.addresses.append(address)
        self.fresh.append(fresh)
        now = self.clock.now_ns()
        return self.service(wire, headers)._replace(sent_ns=now, done_ns=now + 1000)

    def close(self) -> None:
        pass

    def run(
        self,
        promise: str,
        action: str,
        value: str = "v1",
        *,
        obj: str = "o1",
        router: Router | None = None,
        **more: Any,
    ) -> Done:
        call = Call(promise=promise, action=action, obj=obj, value=value, seq=7, lane=Lane.USER, intended_ns=5, **more)
        return self.performer.perform(call, self.client, router or Router())


LOGIN = {
    "kind": "session",
    "do": {"post": "/login", "json": {"user": "$user"}, "expect": 200, "take": {"token": "json:token"}},
    "see": {
        "get": "/me",
        "headers": {"Authorization": "Bearer $token"},
        "value": "json:user",
        "expect": {"status": 200, "value": "$user"},
    },
    "undo": {"post": "/logout", "expect": 204},
}
NOTE = {
    "kind": "kept",
    "do": {"submit": "/notes/new", "form": {"title": "$value"}, "expect": 302},
    "see": {"get": "/notes?q=$value", "expect": {"match": ">$value<"}},
}
PROFILE = {
    "kind": "register",
    "do": {"put": "/profile", "json": {"nick": "$value"}, "expect": 204},
    "see": {"get": "/profile", "value": "json:nick", "expect": 200},
}
TOKEN = "tok-0123456789abcdef"


def shop(wire: Wire, headers: Mapping[str, str]) -> Answer:
    """Login by token and cookie, a profile, and notes behind a form with a one-time token."""
    logged_in = headers.get("authorization") == f"Bearer {TOKEN}" and "sid=c1" in headers.get("cookie", "")
    named = (INSTANCE_HEADER, "web-1.1")
    match wire.method, wire.path.partition("?")[0]:
        case "POST", "/login":
            return answer(200, {"token": TOKEN}, ("Set-Cookie", "sid=c1; Path=/; Secure"), named)
        case "POST", "/logout":
            return answer(204, "", named)
        case _, "/me":
            return answer(200, {"user": "al"}, named) if logged_in else answer(401, "no", named)
        case "GET", "/notes/new":
            return answer(
                200, "<form method=post action=/notes><input type=hidden name=csrf value=t1><input name=title></form>"
            )
        case "POST", "/notes":
            return answer(302 if b"csrf=t1" in wire.body else 403, "", named)
        case "GET", "/profile":
            return answer(200, {"nick": "v1"}, named)
        case "PUT", "/profile":
            return answer(204 if logged_in else 302, "", ("Location", "/login"), named)
    return answer(404)


def test_login_taken_is_what_later_steps_send() -> None:
    """The session's headers and cookies go along on every later step of a client that logged in, until it logs out."""
    stage = Stage({"login": LOGIN, "profile": PROFILE}, shop)
    assert stage.run("login", "see").op.outcome == "gone"
    done = stage.run("login", "do")
    assert (done.op.outcome, dict(done.taken), stage.client.logged_in) == ("ok", {"token": TOKEN}, True)
    seen = stage.run("login", "see").op
    assert (seen.outcome, seen.seen, seen.incarnation, seen.excerpt) == ("ok", "al", "web-1.1", "")
    assert stage.run("profile", "do").op.outcome == "ok"
    assert stage.run("profile", "see").op.seen == "v1"
    assert stage.run("login", "undo").op.outcome == "ok"
    assert stage.run("profile", "do").op.outcome == "unknown"


def test_attempt_recorded_is_the_attempt_made() -> None:
    """Invoke and done are one operation; latency counts from the intended start."""
    stage = Stage({"profile": PROFILE}, shop)
    op = stage.run("profile", "see", "v9", fresh=True).op
    (_, invoked), (_, done) = stage.journal.rows
    assert done == op
    assert invoked[:13] == done[:13]
    assert op[:12] == ("rid-0", "s1", "profile", "see", "o1", 7, 0, "v9", "user", "lb", True, 5)
    assert 0 < op.sent_ns <= op.done_ns
    assert stage.fresh == [True]


def test_submit_fetches_the_form_and_posts_it() -> None:
    """Two requests: the page prepares, the post is judged, and it begins when the page was there."""
    stage = Stage({"note": NOTE}, shop)
    done = stage.run("note", "do", "a & b")
    page, post = stage.journal.ops
    assert (page.judged, page.outcome, post.judged, post.outcome, done.reached) == (False, "ok", True, "ok", True)
    assert post.intended_ns == page.done_ns
    wire = stage.wires[1]
    assert (wire.method, wire.path, wire.body) == ("POST", "/notes", b"csrf=t1&title=a+%26+b")
    headers = dict(wire.headers)
    assert headers["Referer"] == ORIGIN + "/notes/new"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("page", [answer(200, "no form here"), answer(500), answer(302, "", ("Location", "/login"))])
def test_submit_without_its_form_stops_before_writing(page: Answer) -> None:
    """Nothing is posted, and nothing is judged."""
    stage = Stage({"note": NOTE}, lambda wire, headers: page)
    done = stage.run("note", "do")
    assert (done.reached, done.op.judged, len(stage.wires)) == (False, False, 1)
    assert done.op.error


def test_step_that_prepares_and_fails_stops_the_action() -> None:
    """The judged request is never sent; what was taken on the way is forgotten."""
    promise = {
        "kind": "kept",
        "do": [{"get": "/a", "take": {"x": "json:x"}}, {"get": "/b", "expect": 200}, {"post": "/c"}],
        "see": {"get": "/d"},
    }
    stage = Stage({"p": promise}, lambda wire, headers: answer(200, {"x": "1"}) if wire.path == "/a" else answer(404))
    done = stage.run("p", "do")
    assert (done.reached, [wire.path for wire in stage.wires]) == (False, ["/a", "/b"])
    assert [op.judged for op in stage.journal.ops] == [False, False]
    assert "x" not in stage.client.names


def test_name_taken_on_the_way_is_filled_in_at_once() -> None:
    """A later step of the same action knows what an earlier one took; afterwards the client does too."""
    promise = {"kind": "kept", "do": [{"get": "/a", "take": {"x": "json:x"}}, {"post": "/c/$x"}], "see": {"get": "/d"}}
    stage = Stage({"p": promise}, lambda wire, headers: answer(200, {"x": "9"}))
    assert stage.run("p", "do").reached
    assert (stage.wires[1].path, stage.client.names["x"]) == ("/c/9", "9")


def test_object_is_seen_by_the_names_that_its_own_write_took() -> None:
    """A client that made two objects reads the first by the first one's id, also on a copy of the client."""
    ids = itertools.count(1)
    promise = {"kind": "kept", "do": {"post": "/n", "take": {"id": "json:id"}}, "see": {"get": "/n/$id", "as": "guest"}}
    stage = Stage(
        {"p": promise}, lambda wire, headers: answer(201 if wire.method == "POST" else 200, {"id": str(next(ids))})
    )
    stage.run("p", "do", "v1", obj="o1")
    stage.run("p", "do", "v2", obj="o2")
    stage.client = stage.client.copy()
    stage.run("p", "see", "v1", obj="o1")
    stage.run("p", "see", "v2", obj="o2")
    assert [wire.path for wire in stage.wires[2:]] == ["/n/1", "/n/2"]


def test_object_of_unknown_end_is_seen_by_the_names_that_earlier_steps_took() -> None:
    """Its own answer was lost, its address was not; one that has an address keeps it."""
    ids = itertools.count(1)

    def service(wire: Wire, headers: Mapping[str, str]) -> Answer:
        if wire.method == "PUT":
            return trouble(Trouble.CLOSED, sent=True)
        return answer(200, {"id": str(next(ids))}) if wire.method == "POST" else answer(200)

    steps = [{"post": "/n", "take": {"id": "json:id"}}, {"put": "/n/$id", "body": "$blob"}]
    stage = Stage({"p": {"kind": "blob", "do": steps, "see": {"get": "/n/$id"}}}, service)
    assert stage.run("p", "do", "v1", obj="o1").op.outcome == "unknown"
    stage.run("p", "do", "v2", obj="o1")
    stage.run("p", "see", "v1", obj="o1")
    assert stage.wires[-1].path == "/n/1"
    assert "id" not in stage.client.names


def test_upload_through_a_form_carries_its_hidden_fields_and_the_file() -> None:
    """A file input is filled in as a browser would, whatever encoding the form says."""
    html = "<form method=post action=/up><input type=hidden name=csrf value=t1><input type=file name=doc></form>"
    stage = Stage(
        {"p": {"kind": "blob", "do": {"submit": "/up", "upload": "doc"}, "see": {"get": "/up/$value"}}},
        lambda wire, headers: answer(200, html) if wire.method == "GET" else answer(201),
    )
    assert stage.run("p", "do", "v1").reached
    post = stage.wires[1]
    assert dict(post.headers)["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="csrf"\r\n\r\nt1\r\n' in post.body
    assert b'name="doc"; filename="v1.bin"' in post.body
    assert b"[chaoscheck v1 64000 0]" in post.body


def test_large_bodies_are_shown_and_recorded_in_short() -> None:
    """A history is text, and whoever watches reads a line of it."""
    shown: list[Exchange] = []
    promise = {"kind": "blob", "size": "2 MB", "do": {"put": "/f", "body": "$blob"}, "see": {"get": "/f"}}
    stage = Stage({"p": promise}, lambda wire, headers: answer(500, "x" * 3_000_000), watch=shown.append)
    for action in ("do", "see"):
        done = stage.run("p", action, "v1")
        assert len(done.op.excerpt) <= 300
    assert len(stage.wires[0].body) == 2_000_000
    assert all(len(one.wire.body) <= 100_000 and len(one.text) <= 100_000 for one in shown)


def test_guest_has_nothing_of_the_session() -> None:
    """Neither cookies nor the token that logging in gave, and what it is told doesn't reach the session's jar."""
    guest = {
        "kind": "register",
        "do": {"put": "/profile"},
        "see": {"get": "/me", "as": "guest", "headers": {"Authorization": "Bearer $token"}},
    }
    stage = Stage({"login": LOGIN, "open": guest}, shop)
    stage.run("login", "do")
    stage.service = lambda wire, headers: answer(200, "", ("Set-Cookie", "sid=other; Path=/"))
    stage.run("open", "see")
    names = {name.lower() for name, _ in stage.wires[-1].headers}
    assert not names & {"cookie", "authorization"}
    assert stage.client.jar.value("sid") == "c1"


BASIC = "Basic YWw6cHc="  # al:pw


def authorized(stage: Stage) -> list[str | None]:
    """The Authorization of each request made since the last call."""
    sent = [{name.lower(): value for name, value in wire.headers}.get("authorization") for wire in stage.wires]
    stage.wires.clear()
    return sent


def test_auth_of_the_target_goes_with_every_step_but_a_guests() -> None:
    """No step needs to repeat it; whoever reads as a guest, or is one, sends none."""
    note = {"kind": "kept", "do": [{"get": "/a"}, {"post": "/n"}], "see": {"get": "/n", "as": "guest"}}
    open_note = {"kind": "kept", "as": "guest", "do": {"post": "/n"}, "see": {"get": "/n"}}
    stage = Stage({"n": note, "open": open_note}, lambda wire, headers: answer(200), auth="$user:pw")
    stage.run("n", "do")
    assert authorized(stage) == [BASIC, BASIC]
    stage.run("n", "see")
    stage.run("open", "do")
    stage.run("open", "see")
    assert authorized(stage) == [None, None, None]
    stage.client = stage.client.guest().copy()
    stage.run("n", "do")
    assert authorized(stage) == [None, None]


def test_auth_of_the_target_goes_with_all_of_a_session_but_its_login() -> None:
    """A user who signs up, or logs in again, isn't known yet."""
    login = {"kind": "session", "do": {"put": "/u/$user", "take": {"id": "json:id"}}, "see": {"get": "/me"}}
    stage = Stage({"login": login, "note": NOTE}, lambda wire, headers: answer(200, {"id": "al"}), auth="$id:pw")
    for action in ("see", "do", "see", "do"):
        stage.run("login", action)
    stage.run("note", "see")
    assert authorized(stage) == [None, None, BASIC, None, BASIC]


def test_attempt_that_was_not_sent_goes_elsewhere() -> None:
    """Only if certainly nothing left; each try has an id of its own and the same intended start."""
    stage = Stage({"profile": PROFILE}, lambda wire, headers: answer(204))
    first = stage.service
    stage.service = lambda wire, headers: (
        trouble(Trouble.REFUSED, sent=False) if len(stage.wires) < 3 else first(wire, headers)
    )
    router = Router(others=5)
    op = stage.run("profile", "do", router=router).op
    assert router.picked == [0, 1, 2]
    assert [(each.rid, each.attempt, each.outcome, each.intended_ns) for each in stage.journal.ops] == [
        ("rid-0", 0, "fail", 5),
        ("rid-1", 1, "fail", 5),
        ("rid-2", 2, "ok", 5),
    ]
    assert (op.via, op.incarnation) == ("web-2.1", "web-2.1")


def test_trouble_of_the_connection_is_told_in_its_own_word_whatever_is_secret() -> None:
    """Others tell by it that nothing was sent."""
    refused = trouble(Trouble.REFUSED, sent=False)
    stage = Stage({"profile": PROFILE}, lambda wire, headers: refused, secrets=["refused"])
    assert stage.run("profile", "do").op.error == Trouble.REFUSED.value


@pytest.mark.parametrize(
    ("seen", "others", "outcome"),
    [
        (trouble(Trouble.CLOSED, sent=True), 5, "unknown"),
        (trouble(Trouble.RESET, sent=True), 5, "unknown"),
        (trouble(Trouble.TIMEOUT, sent=True), 5, "unknown"),
        (trouble(Trouble.REFUSED, sent=False), 0, "fail"),
    ],
)
def test_attempt_that_may_have_been_sent_is_the_last(seen: Answer, others: int, outcome: str) -> None:
    """No second delivery, ever; nor where the router knows nobody else."""
    stage = Stage({"profile": PROFILE}, lambda wire, headers: seen)
    op = stage.run("profile", "do", router=Router(others=others)).op
    assert (len(stage.wires), op.outcome, op.error) == (1, outcome, seen.trouble.value)


def test_direct_call_names_whom_it_dialled() -> None:
    """Through the balancer the header tells; without one nobody knows."""
    stage = Stage({"profile": PROFILE}, lambda wire, headers: answer(200, {"nick": "x"}))
    assert stage.run("profile", "see", router=Router(via="web-3.2")).op.incarnation == "web-3.2"
    assert stage.run("profile", "see").op.incarnation == ""


def test_balancer_that_forwarded_nothing_is_certain() -> None:
    """Its own 503 fails a write; the service's leaves it unknown."""
    stage = Stage({"profile": PROFILE}, lambda wire, headers: answer(503, "", (BALANCER_HEADER, "none")))
    assert stage.run("profile", "do").op.outcome == "fail"
    stage.service = lambda wire, headers: answer(503)
    assert stage.run("profile", "do").op.outcome == "unknown"


def test_write_that_is_sent_to_log_in_is_no_success() -> None:
    """Without an expected status any redirect will do, but not this one."""
    promise = {"kind": "kept", "do": {"post": "/n"}, "see": {"get": "/n"}}
    stage = Stage({"p": promise}, lambda wire, headers: answer(302, "", ("Location", "/login?next=/n")))
    assert stage.run("p", "do").op.outcome == "unknown"
    stage.service = lambda wire, headers: answer(302, "", ("Location", "/n/1"))
    assert stage.run("p", "do").op.outcome == "ok"


def test_answer_without_what_is_to_be_taken_is_not_as_expected() -> None:
    """A login that gives no token is no login."""
    stage = Stage({"login": LOGIN}, lambda wire, headers: answer(200, {"other": 1}))
    op = stage.run("login", "do").op
    assert (op.outcome, stage.client.logged_in) == ("unknown", False)
    assert "json:token" in op.error


def test_session_that_answers_as_someone_else_is_gone_as_wrong_user() -> None:
    """The same words hold of another user of the run: the worst thing that a session can do."""
    stage = Stage(
        {"login": LOGIN},
        lambda wire, headers: answer(200, {"user": "bob"}),
        other_user=lambda text: "bob" if "bob" in text else None,
    )
    op = stage.run("login", "see").op
    assert (op.outcome, op.seen, op.error) == ("gone", "bob", WRONG_USER)
    stage.service = lambda wire, headers: answer(200, {"user": "nobody"})
    op = stage.run("login", "see").op
    assert (op.outcome, op.seen) == ("unrecognised", "")


def test_promise_whose_see_expects_its_user_knows_a_wrong_one_too() -> None:
    """Whatever its kind: what holds of another user, and not of this one, is that other's answer."""
    see = {"get": "/whoami", "value": "json:user", "expect": {"value": "$user"}}
    plain = {"get": "/whoami", "value": "json:user", "expect": 201}
    stage = Stage(
        {name: {"kind": "kept", "do": {"post": "/n"}, "see": each} for name, each in (("p", see), ("q", plain))},
        lambda wire, headers: answer(200, {"user": "bob"}),
        other_user=lambda text: "bob" if "bob" in text else None,
    )
    assert stage.run("p", "see").op.error == WRONG_USER
    assert stage.run("q", "see").op.error != WRONG_USER


def test_what_the_login_took_no_other_promise_replaces() -> None:
    """A token minted under the same name is seen by its own objects; the session goes on as who it was."""
    api = {
        "kind": "kept",
        "do": {"post": "/mint", "take": {"token": "json:token"}},
        "see": {"get": "/api", "headers": {"Authorization": "Bearer $token"}},
    }

    def service(wire: Wire, headers: Mapping[str, str]) -> Answer:
        if wire.path == "/mint":
            return answer(201, {"token": "minted-0123456789"})
        return answer(200, headers["authorization"]) if wire.path == "/api" else shop(wire, headers)

    stage = Stage({"login": LOGIN, "api": api}, service)
    stage.run("login", "do")
    stage.run("api", "do", "v1", obj="o1")
    stage.run("api", "see", "v1", obj="o1")
    assert dict(stage.wires[-1].headers)["Authorization"] == "Bearer minted-0123456789"
    assert stage.run("login", "see").op.outcome == "ok"


def test_session_page_that_names_others_is_no_wrong_user() -> None:
    """Where the plan says what to read, another's name elsewhere on the page says nothing of who this client is."""
    login = {"kind": "session", "do": {"post": "/login"}, "see": {"get": "/me", "value": "css:#me"}}
    stage = Stage(
        {"login": login},
        lambda wire, headers: answer(200, "<p>written by bob"),
        other_user=lambda text: "bob" if "bob" in text else None,
    )
    op = stage.run("login", "see").op
    assert (op.outcome, op.seen, op.error) == ("unrecognised", "", "unrecognised: read nothing at css:#me")


@pytest.mark.parametrize("reads", [{"value": "json:nick"}, {"values": "json:nicks[*]"}])
def test_read_that_finds_nothing_has_not_seen_anything(reads: dict[str, str]) -> None:
    """Without a word of `expect`: an answer that lacks what is to be read is no evidence of it."""
    promise = {"kind": "register", "do": {"put": "/p", **reads}, "see": {"get": "/p", **reads}}
    shown: set[str] = set()
    stage = Stage({"p": promise}, lambda wire, headers: answer(200, {"nick": None}), gone_by_expect=shown)
    op = stage.run("p", "see").op
    assert (op.outcome, op.error) == ("unrecognised", f"unrecognised: read nothing at {next(iter(reads.values()))}")
    shown.add("p")
    assert stage.run("p", "see").op.outcome == "gone"
    assert stage.run("p", "do").op.outcome == "ok"


def test_gone_of_the_plan_adds_to_what_absence_looks_like_anyway() -> None:
    """A page in the plan's words is absence, and so are a 404 and a login page still; another page isn't known."""
    see = {"get": "/n", "expect": {"text": "here"}, "gone": "not found"}
    stage = Stage({"p": {"kind": "kept", "do": {"post": "/n"}, "see": see}}, shop, gone_by_expect={"p"})
    answers = [answer(200, "not found"), answer(404), answer(302, "", ("Location", "/login")), answer(200, "oops")]
    outcomes = []
    for each in answers:
        stage.service = lambda wire, headers, each=each: each  # type: ignore[misc]
        outcomes.append(stage.run("p", "see").op.outcome)
    assert outcomes == ["gone", "gone", "gone", "unrecognised"]


def test_unmet_expectation_is_absence_once_controls_showed_that_it_can_be() -> None:
    """Until then it is an answer that the plan doesn't know."""
    shown: set[str] = set()
    stage = Stage({"note": NOTE}, lambda wire, headers: answer(200, "no such note"), gone_by_expect=shown)
    assert stage.run("note", "see").op.outcome == "unrecognised"
    shown.add("note")
    op = stage.run("note", "see").op
    assert (op.outcome, op.excerpt) == ("gone", "200 no such note")


def test_values_seen_are_a_list() -> None:
    """`values` reads all of them, in the answer's order, none included."""
    promise = {"kind": "set", "do": {"post": "/c"}, "see": {"get": "/c", "values": "json:items[*].sku"}}
    stage = Stage({"cart": promise}, lambda wire, headers: answer(200, {"items": [{"sku": "a"}, {"sku": "b"}]}))
    assert stage.run("cart", "see").op.seen == '["a","b"]'
    stage.service = lambda wire, headers: answer(200, {"items": []})
    assert stage.run("cart", "see").op.seen == "[]"


def test_what_is_recorded_holds_no_secret() -> None:
    """Cookies, tokens taken and passwords are masked in excerpts, and in all that is shown of an exchange."""
    shown: list[Exchange] = []
    stage = Stage({"login": LOGIN, "profile": PROFILE}, shop, secrets=["pw-of-plan"], watch=shown.append)
    stage.run("login", "do")
    echo = f"al c1 {TOKEN} pw pw-of-plan \x1b[31m"
    stage.service = lambda wire, headers: answer(500, echo, ("Set-Cookie", "sid=c2; Path=/"))
    op = stage.run("profile", "do").op
    assert op.excerpt == "500 al *** *** *** ***  [31m"
    written = repr(shown) + repr(stage.journal.rows)
    assert not [secret for secret in (TOKEN, "pw-of-plan", "sid=c1", "sid=c2") if secret in written]


def test_name_taken_is_shown_unless_it_is_a_secret() -> None:
    """Masked: what goes out as a credential, what is named or looks like one. `/user3` is nobody's secret."""
    login = {
        "kind": "session",
        "do": {"post": "/login", "take": {"me": "json:me", "csrf": "json:c", "key": "json:k", "ref": "json:r"}},
        "see": {"get": "/$me", "headers": {"X-Api-Key": "$key"}},
    }
    taken = {"me": "user3", "c": "c9", "k": "k7", "r": "0123456789abcdef"}
    shown: list[Exchange] = []
    stage = Stage({"login": login}, lambda wire, headers: answer(200, taken), watch=shown.append)
    stage.run("login", "do")
    assert dict(shown[-1].taken) == {"me": "user3", "csrf": "***", "key": "***", "ref": "***"}
    stage.service = lambda wire, headers: answer(500, "user3 c9 k7 0123456789abcdef pw al")
    op = stage.run("login", "see").op
    assert (shown[-1].wire.path, op.excerpt) == ("/user3", "500 user3 *** *** *** *** al")


def test_name_taken_that_repeats_a_public_one_is_no_secret() -> None:
    """An id that is the user's name looks like a token; the report would be unreadable without it."""
    login = {"kind": "session", "do": {"put": "/u/$user", "take": {"id": "json:id"}}, "see": {"get": "/me"}}
    stage = Stage({"login": login}, lambda wire, headers: answer(200, {"id": "user-20261122-t-1"}), auth="$id:l1teral")
    stage.client.names["user"] = "user-20261122-t-1"
    stage.run("login", "do")
    stage.service = lambda wire, headers: answer(500, "user-20261122-t-1 l1teral")
    assert stage.run("login", "see").op.excerpt == "500 user-20261122-t-1 ***"


def test_page_that_is_recorded_is_what_a_person_would_read() -> None:
    page = answer(404, "<title>Shop</title><body><p>No such <b>note</b>", ("Content-Type", "text/html"))
    stage = Stage({"note": NOTE}, lambda wire, headers: page)
    assert stage.run("note", "see").op.excerpt == "404 Shop | No such note"


def test_action_that_a_promise_lacks_is_a_plan_error() -> None:
    stage = Stage({"note": NOTE}, shop)
    with pytest.raises(PlanError, match="promise 'note' has no undo"):
        stage.run("note", "undo")


def test_step_that_can_not_be_read_is_a_plan_error_at_the_start() -> None:
    with pytest.raises(PlanError, match=r"promise 'p': .* isn't a selector"):
        Stage({"p": {"kind": "kept", "do": {"post": "/"}, "see": {"get": "/", "value": "css:["}}}, shop)
