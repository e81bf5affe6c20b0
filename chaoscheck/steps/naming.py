"""Who gave an answer that came through the balancer, by a header of it."""

from __future__ import annotations

from collections.abc import Mapping

from chaoscheck.model.wire import INSTANCE_HEADER


class Naming:
    """Our own balancers name the incarnation itself; others name what outlives one: a container, a host, an address.

    Such a name stands for a life only while it is known whose it is: from when the controller tells of that life to
    when it tells of its death. An answer to what was sent before then, or that names nobody known, is nobody's.
    """

    def __init__(self, header: str | None = None) -> None:
        self._header = (header or INSTANCE_HEADER).lower()
        self._known: dict[str, tuple[str, int]] | None = {} if header else None

    def learn(self, names: Mapping[str, str], now_ns: int) -> None:
        """Those names, and no others, stand for these incarnations from now on."""
        if self._known is None:
            return
        before = self._known
        since = now_ns if before else 0
        self._known = {
            text: before[text] if before.get(text, ("",))[0] == name else (name, since)
            for text, name in ((text.lower(), name) for text, name in names.items())
        }

    def forget(self, incarnation: str) -> None:
        """It died: what it was called by stands for nobody until a new life is told."""
        if self._known is not None:
            self._known = {text: known for text, known in self._known.items() if known[0] != incarnation}

    def of(self, headers: Mapping[str, str], sent_ns: int) -> str:
        """The incarnation that those headers (lower-case names) name; "" where they don't."""
        text = headers.get(self._header, "")
        if self._known is None or not text:
            return text
        name, since_ns = self._known.get(named(text), ("", 0))
        return name if sent_ns >= since_ns else ""


def named(text: str) -> str:
    """The one who answered, of a header's value: a proxy that asked several lists them, the last one last."""
    return text.rpartition(",")[2].strip().lower()
