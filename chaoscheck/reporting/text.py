"""Hostile or plain text made safe to look at: what a service answered must not steer a terminal, a page or a parser."""

from __future__ import annotations

import re
import unicodedata

# C0 without tab and newline, DEL, C1, the marks that change reading direction, invisible joiners, lone surrogates,
# and what XML 1.0 has no place for.
_HOSTILE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


_NAMES = {0x00: "NUL", 0x07: "BEL", 0x08: "BS", 0x0D: "CR", 0x1B: "ESC", 0x7F: "DEL"}
_KNOWN = {*_NAMES.values(), "LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def visible(text: str) -> str:
    """`text` with each control, direction and invisible character as a mark that names it; \\n and \\t stay."""
    return _HOSTILE.sub(_mark, text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 0) -> str:
    """`visible` text on one line, cut to `limit` characters (0: not cut) with an ellipsis."""
    flat = " ".join(visible(text).split())
    return flat[: limit - 1] + "…" if 0 < limit < len(flat) else flat


def _mark(found: re.Match[str]) -> str:
    code = ord(found[0])
    name = _NAMES.get(code) or unicodedata.bidirectional(found[0])
    return f"⟨{name}⟩" if name in _KNOWN else f"⟨U+{code:04X}⟩"
