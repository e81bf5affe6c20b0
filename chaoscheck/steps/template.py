"""`$name` in a plan's texts: string.Template's rules, compiled once and filled often."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping

from chaoscheck.errors import PlanError

Escape = Callable[[str], str]


def as_is(text: str) -> str:
    return text


class Template:
    """A text with names. `needs` are those it mentions, `begins` and `ends` say that one stands at that edge.

    `of_value` escapes what is filled in, `of_literal` what stands around it. `$$` is a dollar; one that begins no name
    is a PlanError, unless `lenient` (regular expressions end in one).
    """

    __slots__ = ("_escape", "_format", "_keys", "begins", "ends", "literal", "needs", "text")

    def __init__(
        self, text: str, *, of_value: Escape = as_is, of_literal: Escape = as_is, lenient: bool = False
    ) -> None:
        literals, keys = _split(text, lenient)
        self.text = text
        self.begins, self.ends = bool(keys) and not literals[0], bool(keys) and not literals[-1]
        self._keys = tuple(keys)
        self._escape = of_value
        self._format = "%s".join(of_literal(part).replace("%", "%%") for part in literals)
        self.needs = frozenset(keys)
        self.literal = of_literal("".join(literals)) if not keys else None

    def is_set(self, names: Mapping[str, str]) -> bool:
        """Whether every name it mentions stands for something."""
        return all(names.get(key) for key in self._keys)

    def fill(self, names: Mapping[str, str]) -> str:
        """The text with names filled in; a name that nothing has set yet is empty."""
        if self.literal is not None:
            return self.literal
        escape = self._escape
        return self._format % tuple([escape(names.get(key, "")) for key in self._keys])


def _split(text: str, lenient: bool) -> tuple[list[str], list[str]]:
    literals, keys, at = [""], [], 0
    for found in string.Template.pattern.finditer(text):
        literals[-1] += text[at : found.start()]
        at = found.end()
        if name := found["named"] or found["braced"]:
            keys.append(name)
            literals.append("")
        elif found["escaped"] is not None:
            literals[-1] += "$"
        elif lenient:
            literals[-1] += found[0]
        else:
            raise PlanError(f"{text!r} has a dollar that begins no name", hint="write $$ for a dollar")
    literals[-1] += text[at:]
    return literals, keys
