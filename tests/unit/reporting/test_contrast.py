"""The page's colours: every text on every ground it stands on has a contrast of at least 4.5 (AA), light and dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import chaoscheck.reporting

CSS = (Path(chaoscheck.reporting.__file__).parent / "assets" / "report.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block)) for block in re.findall(r":root \{(.*?)\}", CSS, re.S)[:2]
)
VERDICTS = ("pass", "fail", "invalid", "inconclusive")
PAIRS = [
    *[(text, ground) for text in ("ink", "soft", "link") for ground in ("paper", "faint", "band")],
    *[(text, f"{verdict}-tint") for verdict in VERDICTS for text in ("ink", "soft", "link", verdict)],
    *[(verdict, "paper") for verdict in VERDICTS],
    ("paper", "fail"),
]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_stands_out_from_its_ground(theme: dict[str, str], text: str, ground: str) -> None:
    """WCAG 2.2, 1.4.3."""
    assert contrast(theme[text], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    "mark", ["s-fail", "s-unknown", "s-dropped", "s-unrecognised", "p50", "p95", "p99", "life-edge"]
)
def test_marks_stand_out_from_paper(theme: dict[str, str], mark: str) -> None:
    """WCAG 2.2, 1.4.11: 3 for what isn't text."""
    assert contrast(theme[mark], theme["paper"]) >= 3


def contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
