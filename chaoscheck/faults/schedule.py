"""The plan of strikes: a pure function of seed and plan. It fixes who is struck and how, not what comes of it."""

from __future__ import annotations

import random
from collections.abc import Iterator

from chaoscheck.faults.base import Mode, Strike
from chaoscheck.plan.plan import Chaos

AIMS = 8
"""Writes aimed at a victim of an in-flight strike."""


def rounds(seed: int, instances: int, chaos: Chaos) -> Iterator[list[Strike]]:
    """Round after round, without end; each strikes every slot once, in a drawn order, shams in between.

    Each slot gets its burst in one of the first `chaos.rounds` rounds. The shams lie in those rounds too, so that the
    shortest run has them all.
    """
    draw = random.Random(f"{seed}:schedule")
    planned = chaos.rounds
    burst_round = {slot: draw.randrange(planned) for slot in range(1, instances + 1)}
    sham_round = [draw.randrange(planned) for _ in range(chaos.shams)]
    index = 0
    number = 0
    while True:
        order = list(range(1, instances + 1))
        draw.shuffle(order)
        modes = [(slot, Mode.BURST if burst_round[slot] == number else _mode(draw, chaos)) for slot in order]
        for _ in range(sham_round.count(number)):
            modes.insert(draw.randrange(len(modes) + 1), (draw.randint(1, instances), Mode.SHAM))
        strikes = []
        for slot, mode in modes:
            strikes.append(Strike(index=index, round=number, slot=slot, mode=mode, pause_s=draw.uniform(0.2, 0.8),
                                  aims=tuple(sorted(draw.random() for _ in range(AIMS)))))
            index += 1
        yield strikes
        number += 1


def planned_strikes(seed: int, instances: int, chaos: Chaos) -> list[Strike]:
    """The strikes of the first `chaos.rounds` rounds: what a run makes at the least."""
    source = rounds(seed, instances, chaos)
    return [strike for _ in range(chaos.rounds) for strike in next(source)]


def _mode(draw: random.Random, chaos: Chaos) -> Mode:
    weights = (chaos.mix.burst, chaos.mix.in_flight, chaos.mix.plain)
    if not any(weights):
        return Mode.PLAIN
    return draw.choices((Mode.BURST, Mode.IN_FLIGHT, Mode.PLAIN), weights)[0]
