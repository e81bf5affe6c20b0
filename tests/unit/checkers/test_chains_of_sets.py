"""A chain about a set shows the element that it is about, in however long a list, and who removed it."""

from __future__ import annotations

import json
from dataclasses import replace

from chaoscheck import plugins
from chaoscheck.checkers.base import Anomaly
from chaoscheck.checkers.causes import Explained
from chaoscheck.checkers.chains import EXCERPT, Wanted, chain
from chaoscheck.checkers.set import SetChecker
from chaoscheck.checkers.timeline import timeline
from chaoscheck.model.ops import Op
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.plan import Plan
from tests.unit.checkers.making import confirms, op

plugins.load()

MANY = [f"run.s1.{number}" for number in range(100, 160)]


def told(anomaly: Anomaly, *ops: Op) -> list[str]:
    """What the links of a finding about a set say."""
    promise = {"kind": "set", "do": {"post": "/n/$value"}, "undo": {"delete": "/n/$value"}}
    see = {"get": "/n", "values": "json:items"}
    plan = Plan.model_validate({"target": {"command": ["serve"]}, "promises": {"p": {**promise, "see": see}}})
    one = Wanted(explained=Explained(anomaly=anomaly, cause=Cause.ONE_INSTANCE, death=None))
    for each in ops:
        one.see(each, None)
    return [link.note for link in chain(one, plan, timeline([]))]


def found(*ops: Op) -> Anomaly:
    checker = SetChecker("p")
    for each in ops:
        checker.feed(each)
    (anomaly,) = checker.tally().anomalies
    return anomaly


def test_removed_element_that_came_back_stands_beside_who_removed_it() -> None:
    """Added, undone, shown again here and gone there; of a long list what surrounds the element."""
    value, others = MANY[30], [item for item in MANY if item != MANY[30]]
    writes = [op("do", "ok", at=10 * place, value=item) for place, item in enumerate(MANY)]
    undo = op("undo", "ok", at=1000, value=value, who="web-3.1")
    read = op("see", "ok", at=1100, seen=json.dumps(MANY), who="web-2.1")
    again = confirms(read, [("web-1.1", "ok", json.dumps(others)), ("web-2.1", "ok", json.dumps(MANY))])
    ops = [*writes, undo, read, *again]
    notes = told(found(*ops), *ops)
    assert notes[:2] == ["acknowledged by web-1.1", "undone, acknowledged by web-3.1"]
    assert [note.partition(":")[0] for note in notes[2:]] == ["there", "not there", "there"]
    assert all(f'"{value}"' in note for note in (notes[2], notes[4]))
    assert all(len(note) < EXCERPT + 30 for note in notes)


def test_element_that_is_nobody_s_is_shown_where_it_stands() -> None:
    """Though nothing that was written is missing."""
    write, first = op("do", "ok", at=0, value=MANY[0]), op("see", "ok", at=10, seen=json.dumps(MANY[:1]))
    read = op("see", "ok", at=20, seen=json.dumps([MANY[0], *("x" * 20 + str(at) for at in range(9)), "gift"]))
    checker = SetChecker("p")
    checker.fold([write, first, read])
    anomaly = next(one for one in checker.tally().anomalies if one.name == "PHANTOM")
    notes = told(replace(anomaly, seen="gift"), write, read)
    assert notes[-1].startswith("there: shows …") and '"gift"]' in notes[-1]
