"""Calls at the same time: all results, or the trouble at once."""

from __future__ import annotations

import threading
import time

import pytest

from chaoscheck.engines.docker.together import together


def test_results_come_by_name() -> None:
    """Each caller finds its own."""
    assert together({"a": lambda: 1, "b": lambda: 2}) == {"a": 1, "b": 2}
    assert together({}) == {}


def test_calls_overlap() -> None:
    """Two that wait for each other get done."""
    meet = threading.Barrier(2)
    assert set(together({"a": lambda: meet.wait(5), "b": lambda: meet.wait(5)}).values()) == {0, 1}


def test_failure_does_not_wait_for_the_others() -> None:
    """Who asks to stop isn't kept by what takes long."""
    release = threading.Event()

    def fails() -> bool:
        raise ValueError("no")

    began = time.monotonic()
    with pytest.raises(ValueError, match="no"):
        together({"bad": fails, "long": lambda: release.wait(30)})
    assert time.monotonic() - began < 10
    release.set()
