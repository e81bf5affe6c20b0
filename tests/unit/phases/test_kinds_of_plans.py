"""Plans that say too little or too much for the kind of a promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck import plugins
from chaoscheck.errors import PlanError
from chaoscheck.phases.validate import validate
from chaoscheck.plan.load import load_plan

PLAN = """\
target: {image: x}
promises:
  work:
    kind: %s
"""


@pytest.mark.parametrize(
    ("kind", "words", "said"),
    [
        ("channel", "do: {post: /x}", "a promise of kind channel needs see"),
        ("channel", "see: {websocket: /ws, value: 'json:a'}", "a promise of kind channel needs do"),
        (
            "channel",
            "do: {post: /x, json: {a: $value}}\n    see: {get: /x, value: 'json:a'}",
            "ends with the stream that it listens to",
        ),
        (
            "channel",
            "do: {post: /x, json: {a: $value}}\n    see: [{websocket: /ws}, {events: /e, value: 'json:a'}]",
            "ends with the stream that it listens to",
        ),
        (
            "channel",
            "do: {post: /x, json: {a: $value}}\n    see: {websocket: /ws}",
            "says where a message has its value",
        ),
        (
            "channel",
            "do: {post: /x, json: {a: $value}}\n    see: {websocket: /ws, value: 'json:a', expect: 101}",
            "the message that says one is subscribed",
        ),
        (
            "channel",
            "do: {post: /x, json: {a: $value}}\n    see: {events: /e, value: 'json:a', gone: 404}",
            "a stream has no refused, gone or take",
        ),
        (
            "channel",
            "do: {post: /x, json: {a: $value}}\n    see: {events: /e, value: 'json:a', pending: {text: a}}",
            "pending has no meaning in see",
        ),
        (
            "channel",
            "do: {post: /x, json: {a: $value}}\n    see: {events: /e, value: 'json:a'}\n    deadline: 2s",
            "a promise of kind channel has no deadline",
        ),
        ("channel", "do: {websocket: /ws}\n    see: {websocket: /ws, value: 'json:a'}", "a stream has no place in do"),
        (
            "channel",
            "do: {post: /x, json: {a: $value}}\n    see: {websocket: /ws/$ticket, value: 'json:a'}",
            "uses $ticket, which nothing sets",
        ),
        ("kept", "do: {post: /x}\n    see: {events: /e}", "a stream has no place in see of a promise of kind kept"),
        ("job", "do: {post: /x}", "a promise of kind job needs see"),
        ("job", "see: {get: /x}", "a promise of kind job needs do"),
        ("job", "do: {post: /x}\n    see: {get: /x}\n    undo: {post: /y}", "a promise of kind job has no undo"),
        ("job", "do: {post: /x}\n    see: {get: /x}\n    every: 2s", "a promise of kind job has no every"),
        ("job", "do: {post: /x}\n    see: {get: /x, values: 'json:a[*]'}", "write value instead of values"),
        ("job", "do: {post: /x}\n    see: {get: /x}\n    ledger: {get: /l}", "needs values"),
        ("job", "do: {post: /x, pending: {text: a}}\n    see: {get: /x}", "pending has no meaning in do"),
        ("job", "do: {post: /x}\n    see: {get: /x/$nothing}", "uses $nothing, which nothing sets"),
        ("job", "do: {post: /x}\n    see: {get: /x, pending: {match: '('}}", "isn't a regular expression"),
        (
            "kept",
            "do: {post: /x}\n    see: {get: /x, pending: {text: a}}",
            "pending has no meaning in see of a promise",
        ),
        ("schedule", "every: 2s", "a promise of kind schedule needs see"),
        ("schedule", "see: {get: /x, values: 'json:a[*]'}", "a schedule needs every"),
        ("schedule", "every: 2s\n    see: {get: /x}", "it needs values"),
        (
            "schedule",
            "every: 2s\n    do: {post: /x}\n    see: {get: /x, values: 'json:a[*]'}",
            "kind schedule has no do",
        ),
        ("schedule", "every: 2s\n    see: {get: /x, values: 'json:a[*]'}", "users do none of this"),
    ],
)
def test_plan_that_says_too_little_or_too_much_is_refused_at_its_line(
    tmp_path: Path, kind: str, words: str, said: str
) -> None:
    """Before anything starts."""
    plugins.load()
    path = tmp_path / "plan.yaml"
    path.write_text(f"{PLAN % kind}    {words}\n")
    with pytest.raises(PlanError) as error:
        validate(load_plan(path, environment={}))
    assert said in error.value.message
    assert error.value.place.startswith("plan.yaml:")
