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

    Each slot gets its burst in one of the first `chaos.rounds` rounds; the mix deals the other strikes of those rounds
    by quota, so that a short run has some of each. The shams lie in those rounds too.
    """
    draw = random.Random(f"{seed}:schedule")
    planned = chaos.rounds
    burst_round = {slot: draw.randrange(planned) for slot in range(1, instances + 1)}
    deck = _deck(draw, instances * (planned - 1), chaos)
    sham_round = [draw.randrange(planned) for _ in range(chaos.shams)]
    index = 0
    number = 0
    while True:
        order = list(range(1, instances + 1))
        draw.shuffle(order)
        modes = [(slot, Mode.BURST if burst_round[slot] == number else deck.pop()) for slot in order]
        for _ in range(sham_round.count(number)):
            modes.insert(draw.randrange(len(modes) + 1), (draw.randint(1, instances), Mode.SHAM))
        strikes = []
        for slot, mode in modes:
            strikes.append(
                Strike(
                    index=index,
                    round=number,
                    slot=slot,
                    mode=mode,
                    pause_s=draw.uniform(0.2, 0.8),
                    aims=tuple(sorted(draw.random() for _ in range(AIMS))),
                )
            )
            index += 1
        yield strikes
        number += 1
        if number >= planned:
            deck = _deck(draw, instances, chaos)


def planned_strikes(seed: int, instances: int, chaos: Chaos) -> list[Strike]:
    """The strikes of the first `chaos.rounds` rounds: what a run makes at the least."""
    source = rounds(seed, instances, chaos)
    return [strike for _ in range(chaos.rounds) for strike in next(source)]


def _deck(draw: random.Random, size: int, chaos: Chaos) -> list[Mode]:
    """So many strikes in the proportions of the mix (largest remainders), in a drawn order; plain without weights."""
    weights = {Mode.IN_FLIGHT: chaos.mix.in_flight, Mode.PLAIN: chaos.mix.plain, Mode.BURST: chaos.mix.burst}
    total = sum(weights.values())
    if not total:
        return [Mode.PLAIN] * size
    quotas = {mode: size * weight / total for mode, weight in weights.items()}
    deck = [mode for mode, quota in quotas.items() for _ in range(int(quota))]
    by_remainder = sorted(quotas, key=lambda mode: int(quotas[mode]) - quotas[mode])
    deck += by_remainder[: size - len(deck)]
    draw.shuffle(deck)
    return deck
