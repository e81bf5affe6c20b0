"""What `try` tells to do next fits the answer, and the step that got it."""

from __future__ import annotations

import pytest

from chaoscheck.cli.trying import _hint


@pytest.mark.parametrize(
    ("status", "logs_in", "said"),
    [
        (403, True, "json or form"),
        (401, True, "password"),
        (422, True, "names of its fields"),
        (404, True, "path"),
        (500, True, "store"),
        (401, False, "target.auth"),
        (422, False, "body"),
        (302, False, "expect"),
        (0, False, "trouble"),
    ],
)
def test_hint_names_what_such_an_answer_usually_means(status: int, logs_in: bool, said: str) -> None:
    """A login that is refused needs no login before it."""
    hint = _hint(status, "do", logs_in=logs_in)
    assert said in hint
    assert not (logs_in and "target.auth" in hint)
