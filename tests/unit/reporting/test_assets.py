"""The policy lets through what the page brings along, and nothing else."""

from __future__ import annotations

import base64
import hashlib

from chaoscheck.reporting.assets import report_assets


def test_policy_names_the_very_style_and_script() -> None:
    """By hash: neither an attribute nor an element that an answer smuggled in would run."""
    ours = report_assets()
    for text, what in ((ours.script, "script-src"), (ours.style, "style-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{what} 'sha256-{digest}';" in ours.policy
    assert "unsafe" not in ours.policy and ours.policy.startswith("default-src 'none'")


def test_vendored_library_carries_its_licence() -> None:
    """Every page is a copy of it."""
    assert "The MIT License" in report_assets().script and "Leon Sorokin" in report_assets().script
