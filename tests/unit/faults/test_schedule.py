"""The plan of strikes is a pure function of seed and plan."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.faults.base import Mode
from chaoscheck.faults.schedule import planned_strikes, rounds
from chaoscheck.plan.plan import Chaos, Mix

SIZES = st.integers(2, 20)
SEEDS = st.integers(0, 2**32)


@given(SEEDS, SIZES, st.integers(1, 5))
def test_same_seed_gives_the_same_strikes(seed: int, instances: int, count: int) -> None:
    """Nothing but its arguments decides."""
    chaos = Chaos(rounds=count)
    assert planned_strikes(seed, instances, chaos) == planned_strikes(seed, instances, chaos)


@given(SEEDS, SIZES, st.integers(1, 5))
def test_each_round_kills_every_slot_once(seed: int, instances: int, count: int) -> None:
    """A round is a permutation; N kills cover N slots, where random victims would need N times its harmonic number."""
    for number, strikes in enumerate(islice(rounds(seed, instances, Chaos(rounds=count)), count)):
        victims = Counter(strike.slot for strike in strikes if strike.mode is not Mode.SHAM)
        assert victims == Counter(range(1, instances + 1))
        assert {strike.round for strike in strikes} == {number}


@given(SEEDS, SIZES, st.integers(1, 5), st.integers(0, 6))
def test_every_slot_gets_a_burst_and_all_shams_are_made(seed: int, instances: int, count: int, shams: int) -> None:
    """Also when the mix gives bursts no weight; shams are extra and lie in the planned rounds."""
    strikes = planned_strikes(seed, instances, Chaos(rounds=count, shams=shams, mix=Mix(burst=0)))
    assert {strike.slot for strike in strikes if strike.mode is Mode.BURST} == set(range(1, instances + 1))
    assert sum(strike.mode is Mode.SHAM for strike in strikes) == shams
    assert [strike.index for strike in strikes] == list(range(len(strikes)))


@given(SEEDS, st.integers(3, 20))
def test_default_mix_has_some_of_each_in_the_shortest_run(seed: int, instances: int) -> None:
    """Two rounds over three slots already strike in every way."""
    assert {strike.mode for strike in planned_strikes(seed, instances, Chaos())} == set(Mode)


def test_other_seeds_strike_otherwise() -> None:
    """A seed that seeds nothing would make every run the same."""
    assert len({tuple(strike.slot for strike in planned_strikes(seed, 5, Chaos())) for seed in range(20)}) > 10


@pytest.mark.parametrize("mix", [Mix(burst=0, **{"in-flight": 0}, plain=0)])
def test_mix_without_weights_is_plain(mix: Mix) -> None:
    """Nothing but the bursts that each slot must get."""
    modes = {strike.mode for strike in planned_strikes(1, 3, Chaos(mix=mix, rounds=3))}
    assert modes <= {Mode.PLAIN, Mode.BURST, Mode.SHAM}
