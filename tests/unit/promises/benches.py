"""Instances made to order, as the controller's user asks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.promises.base import Bench
from chaoscheck.steps.calls import Done


@dataclass(slots=True)
class FakeBench:
    """Answers a read by (instance, seconds since it was made, the value's own do or a made-up id)."""

    answer: Callable[[str, float, bool], tuple[Outcome, str]]
    session: str = "c0"
    now: int = 0
    made: int = 0
    reads: list[str] = field(default_factory=list)

    def new_value(self) -> str:
        self.made += 1
        return f"v{self.made}"

    def do(self, value: str, on: str) -> Done:
        return self._done("do", value, on, (Outcome.OK, ""))

    def see(self, value: str, on: str, *, fresh: bool = False, given: Mapping[str, str] | None = None) -> Done:
        self.reads.append(on)
        return self._done("see", value, on, self.answer(on, self.now / NS, given is None))

    def see_at_once(self, value: str, on: str) -> list[Done]:
        return [self.see(value, on) for _ in range(4)]

    def undo(self, value: str, on: str) -> Done:
        raise AssertionError("nothing is undone here")

    def elsewhere(self) -> FakeBench:
        return self

    def hang_up(self) -> None:
        """Nothing is open."""

    def now_ns(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * NS)

    def _done(self, action: str, value: str, on: str, said: tuple[Outcome, str]) -> Done:
        outcome, seen = said
        op = Op(
            "r", "c0", "p", action, value, 1, 0, value, "control", on, True, 0, self.now, self.now, outcome, 200, "",
            on, seen, "",
        )  # fmt: skip
        return Done(op=op, reached=True, taken={"job": "job1"} if action == "do" else {})


def bench(answer: Callable[[str, float, bool], tuple[Outcome, str]]) -> Bench:
    made: Any = FakeBench(answer)
    return made  # type: ignore[no-any-return]
