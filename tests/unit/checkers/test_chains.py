"""A chain's curl lines send what the run sent, and give no password away."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import Any

import pytest

from chaoscheck import plugins
from chaoscheck.checkers import chains
from chaoscheck.checkers.chains import Pair, pair_chain
from chaoscheck.checkers.timeline import timeline
from chaoscheck.model import events as ev
from chaoscheck.model.ops import Op
from chaoscheck.plan.plan import Plan
from tests.unit.checkers.making import op

plugins.load()
CELL = ev.MatrixProbed(t_ns=1000, promise="p", writer="web-1.1", reader="web-2.1", holds=False, note="", session="s1",
                       obj="o1")  # fmt: skip


def lines(promise: dict[str, Any], auth: str | None = "$user:pw-1") -> list[str]:
    """The curl lines of a write on web-1.1 and of the read on web-2.1 that missed it."""
    promise = {"do": {"post": "/n"}, "see": {"get": "/n"}, "kind": "kept", **promise}
    target = {"command": ["serve"], "auth": auth} if auth else {"command": ["serve"]}
    plan = Plan.model_validate({"target": target, "promises": {"p": promise}})
    ops = [
        op("do", "ok", at=10, value="v1", via="web-1.1", lane="matrix"),
        op("see", "gone", at=30, value="v1", via="web-2.1", who="web-2.1", lane="matrix"),
    ]
    chain = pair_chain(Pair(CELL, user="al", ops=ops), plan, timeline([CELL]))
    return [link.curl for link in chain]


@pytest.mark.parametrize(
    ("promise", "sent"),
    [
        ({}, [True, True]),
        ({"see": {"get": "/n", "as": "guest"}}, [True, False]),
        ({"as": "guest"}, [False, False]),
        ({"kind": "session"}, [False, True]),
    ],
)
def test_credentials_of_the_target_stand_where_they_were_sent(promise: dict[str, Any], sent: list[bool]) -> None:
    """Neither a guest nor someone who is just logging in has any."""
    assert [" -u 'al:***' " in line for line in lines(promise)] == sent
    assert not any("pw-1" in line for line in lines(promise))


def test_secrets_that_the_plan_lists_are_in_no_line() -> None:
    """Wherever they stand: findings go to junit.xml, the job's summary and the report."""
    target = {"command": ["serve"], "headers": {"X-Gateway": "gate-way-1"}}
    promise = {"kind": "kept", "do": {"post": "/n?key=url-key-22", "json": {"pin": "4711"}}, "see": {"get": "/n"}}
    raw = {"target": target, "promises": {"p": promise}, "secrets": ["gate-way-1", "url-key-22", "4711"]}
    ops = [op("do", "ok", at=10, value="v1", via="web-1.1", lane="matrix")]
    chain = pair_chain(Pair(CELL, user="al", ops=ops), Plan.model_validate(raw), timeline([CELL]))
    assert "X-Gateway: ***" in chain[0].curl and "key=***" in chain[0].curl
    assert not any(secret in link.curl for link in chain for secret in raw["secrets"])


def test_credentials_of_a_step_win_and_a_name_stays_a_name() -> None:
    assert "-u 'bob:$password'" in lines({"do": {"post": "/n", "auth": "bob:$password"}})[0]
    assert " -u " not in "".join(lines({}, auth=None))


def notes(cell: ev.MatrixProbed, ops: list[Op], begun: list[Op], kind: str = "kept") -> list[tuple[str, str]]:
    """(what was called, what is said of it) of the pair's chain."""
    promise = {"kind": kind, "do": {"submit": "/n"}, "see": {"get": "/n", "value": "json:n"}}
    plan = Plan.model_validate({"target": {"command": ["serve"]}, "promises": {"p": promise}})
    made = pair_chain(Pair(cell, user="al", ops=ops, begun=begun), plan, timeline([cell]))
    return [(link.curl.split("  #")[0].split()[-1], link.note) for link in made]


def test_form_that_another_instance_refuses_is_shown_from_its_first_request() -> None:
    """Nothing was read: begun on one, refused by the other."""
    cell = replace(CELL, anomaly="REFUSED_ELSEWHERE", told=0)
    begun = [op("do", "ok", at=10, value="v1", via="web-1.1", lane="matrix")._replace(judged=False)]
    ops = [op("do", "fail", at=20, value="v1", via="web-2.1", who="web-2.1", lane="matrix")]
    assert [note for _, note in notes(cell, ops, begun)] == ["begun on web-1.1", "fail on web-2.1"]


def test_older_version_is_not_called_there() -> None:
    """An answer that was ok and shows another value is the very read that missed it."""
    ops = [
        op("do", "ok", at=10, value="v1", via="web-1.1", lane="matrix"),
        op("see", "ok", at=20, value="", seen="v1", via="web-2.1", who="web-2.1", lane="matrix"),
        op("do", "ok", at=30, value="v2", via="web-1.1", lane="matrix"),
        op("see", "ok", at=40, value="v2", seen="v1", via="web-2.1", who="web-2.1", lane="matrix"),
        op("see", "ok", at=50, value="v2", seen="v2", via="web-1.1", who="web-1.1", lane="confirm"),
    ]
    said = [note for _, note in notes(replace(CELL, told=1), ops, [], kind="register")]
    assert said == ["acknowledged by web-1.1", "not there, but 'v1' on web-2.1", "later: there on web-1.1"]


@pytest.mark.parametrize(
    ("do", "sent"),
    [
        ({"put": "/n", "body": "$blob"}, "-H 'Content-Type: application/octet-stream' --data-binary @v1.bin "),
        ({"post": "/n", "upload": "doc", "form": {"title": "$user"}}, "-F title=al -F doc=@v1.bin "),
        ({"submit": "/n", "upload": "doc"}, "-F doc=@v1.bin "),
    ],
)
def test_uploads_stand_as_files_by_name(do: dict[str, Any], sent: str) -> None:
    """Any file of that name shows the same; the bytes themselves would fill the report."""
    assert sent in lines({"kind": "blob", "do": do})[0]


@pytest.mark.parametrize(
    "word",
    [
        "Authorization: Bearer $token",
        '{"a": "it\'s $token; `id` \\\\ $HOME"}',
        "plain",
        "http://$ENTRY/notes/$token?q=$5",
    ],
)
def test_shell_fills_in_what_was_taken_and_nothing_else(word: str) -> None:
    """A line of a chain is sent again by hand once its variables are set."""
    typed = chains._typed(word, ("ENTRY", "token"))
    script = f"ENTRY=there; token=T; HOME=away; printf %s {typed}"
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=10)
    assert said.stdout == word.replace("$token", "T").replace("$ENTRY", "there")
    assert not said.stderr


@pytest.mark.parametrize(
    ("target", "balancer", "dialled"),
    [
        ({}, {"url": "https://shop.test"}, "curl -si -b jar -c jar {proto} https://shop.test/n"),
        (
            {"public_url": "https://shop.test"},
            {"url": "https://127.0.0.1:8443", "ca": "my ca.pem"},
            "curl -si -b jar -c jar --cacert 'my ca.pem' --connect-to ::127.0.0.1:8443 {proto} https://shop.test/n",
        ),
        (
            {"public_url": "https://shop.test"},
            {"url": "http://127.0.0.1"},
            "-H 'Host: shop.test' {proto} \"http://$ENTRY/n\"",
        ),
    ],
)
def test_entry_is_dialled_as_users_did(target: dict[str, str], balancer: dict[str, str], dialled: str) -> None:
    """By https with the certificates that the run trusted, and the name that they are for."""
    raw = {
        "target": {"command": ["serve"], **target},
        "balancer": {"kind": "external", **balancer},
        "promises": {"p": {"kind": "kept", "do": {"post": "/n"}, "see": {"get": "/n"}}},
    }
    ops = [op("see", "gone", at=30, via="lb", lane="matrix")]
    chain = pair_chain(Pair(CELL, user="al", ops=ops), Plan.model_validate(raw), timeline([CELL]))
    proto = "-H 'X-Forwarded-Proto: https'"
    assert chain[0].curl.endswith(dialled.format(proto=proto))
