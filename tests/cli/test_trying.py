"""What `try` shows of each request: legible to who wrote the plan, and how long the rest takes."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from chaoscheck.cli.trying import Exchanges, foretell, last_words, printed_lines
from chaoscheck.model.events import InstanceDied, Printed
from chaoscheck.model.ops import Op
from chaoscheck.plan.plan import Plan
from chaoscheck.steps.base import Wire
from chaoscheck.steps.perform import Exchange

PLAN = Plan.model_validate(
    {
        "target": {"image": "x"},
        "promises": {
            "login": {"kind": "session", "do": {"submit": "/in"}, "see": {"get": "/me"}},
            "note": {"kind": "register", "do": {"put": "/note"}, "see": {"get": "/note", "value": "json:text"}},
        },
    }
)
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="user"\r\n\r\nann\r\n'
    b'--b\r\nContent-Disposition: form-data; name="empty"\r\n\r\n\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n" + b"\0" * 64 + b"\r\n--b--\r\n"
)


def exchange(
    action: str,
    outcome: str,
    *,
    error: str = "",
    lane: str = "control",
    body: bytes = b"",
    media: str = "",
    ms: int = 0,
) -> Exchange:
    op = Op("c-1", "s", "note", action, "o", 1, 0, "v-1", lane, "web-1.1", True, 0, 0, ms * 1_000_000, outcome, 200,
            error, "web-1.1", "", "")  # fmt: skip
    wire = Wire("PUT", "/note", (("Content-Type", media),), body, 1.0)
    names = {"user": "ann-7", "value": "v-1"}
    return Exchange(op=op, wire=wire, headers=(), text="the page", taken={}, names=names)


def shown(*exchanges: Exchange, pairs: int = 0) -> str:
    out = io.StringIO()
    show = Exchanges(Console(file=out, width=400, markup=True), pairs)
    for each in exchanges:
        show(each)
    return out.getvalue()


UNSEEN = exchange("see", "unrecognised", error="unrecognised: read nothing, expected '$user'")


def test_check_that_says_no_before_anything_was_done_is_no_trouble() -> None:
    """It is a control that passes; the same answer later isn't."""
    text = shown(UNSEEN)
    assert "no (as it should: nothing was done yet) (read nothing, expected 'ann-7')" in text
    text = shown(UNSEEN, exchange("do", "ok"), UNSEEN)
    assert text.count("as it should") == 1
    assert "not as expected (read nothing, expected 'ann-7')" in text
    assert "not there" in shown(exchange("do", "ok"), exchange("see", "gone"))
    assert "unrecognised" not in text


def test_last_words_are_those_of_who_died_and_silence_is_said() -> None:
    """Of several in trouble the one that ended knows best; what it printed steers no terminal."""
    dumb = Printed(t_ns=1, instance="web-1.1", seen="note.do: 503", log="")
    sick = Printed(t_ns=1, instance="web-2.1", seen="note.do: 503", log="a\n\nno \x1b[31mtable")
    died = InstanceDied(t_ns=2, instance="web-3.1", asked=False, death_ns=2, error_ns=0, exit_code=1,
                        out_of_memory=False, log="the end")  # fmt: skip
    assert printed_lines(last_words([dumb]), "reports/r") == ["web-1.1 printed nothing"]
    head = "web-2.1 printed last (more in reports/r/logs/web-2.1.log):"
    assert printed_lines(last_words([dumb, sick]), "reports/r") == [head, "  | a", "  | no ⟨ESC⟩[31mtable"]
    assert printed_lines(last_words([dumb, sick, died]), "")[1:] == ["  | the end"]
    assert printed_lines(last_words([]), "") == []


def test_names_that_stand_for_nothing_stay_as_written() -> None:
    """Only what is known is filled in."""
    text = shown(exchange("see", "unrecognised", error="unrecognised: no text '$id of $value costs $5'"))
    assert "no text '$id of v-1 costs $5'" in text


def test_multipart_body_is_shown_by_its_fields() -> None:
    """Boundaries tell nobody anything, and bytes of a file neither."""
    text = shown(exchange("do", "ok", body=FORM, media="multipart/form-data; boundary=b"))
    assert "PUT /note user=ann, empty=, file (64 bytes)" in text
    assert "Content-Disposition" not in text


@pytest.mark.parametrize("body", [b"", b"--b", FORM[:120], b"nothing of it"])
def test_multipart_body_that_was_cut_off_breaks_nothing(body: bytes) -> None:
    """A long one is shown only in part."""
    assert "note.do" in shown(exchange("do", "ok", body=body, media="multipart/form-data; boundary=b"))


def test_what_it_sends_is_foretold_and_how_long_the_matrix_takes() -> None:
    """By the plan at first; by the service's own pace as soon as that is known, and once."""
    out = io.StringIO()
    pairs = foretell(Console(file=out, width=200), PLAN)
    tests = (2 + 8) + (1 + 8)
    assert pairs == 9 * ((2 + 3) + (1 + 3))
    assert f"trying 2 promises on 3 instances: about {tests + pairs} requests" in out.getvalue()
    slow = exchange("do", "ok", ms=500)
    text = shown(slow, slow, *[exchange("see", "ok", lane="matrix")] * 3, pairs=60)
    assert text.count("matrix: ") == 1
    assert "about 60 requests, 30.0 s at their pace" in text
