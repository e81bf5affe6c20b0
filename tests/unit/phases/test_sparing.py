"""The judge is asked while a run goes on, but not so that the run waits for him."""

from __future__ import annotations

from chaoscheck.phases.sparing import FREE_S, SHARE, Sparing


class Judge:
    """Says yes, after so many seconds."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.now_s = 100.0
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        self.now_s += self.takes_s
        return True


def test_quick_judge_is_asked_each_time() -> None:
    """What costs nothing is never put off: a run ends at its first finding."""
    judge = Judge(0.01)
    asks = Sparing(judge, lambda: judge.now_s)
    assert all(asks() for _ in range(50))
    assert judge.asked == 50


def test_slow_judge_takes_no_more_than_his_share_of_a_long_run() -> None:
    """Ten minutes of strikes every five seconds, each judgement four seconds long."""
    judge = Judge(4.0)
    asks = Sparing(judge, lambda: judge.now_s)
    answers = []
    while judge.now_s < 700.0:
        answers.append(asks())
        judge.now_s += 5.0
    assert answers[0] and not all(answers)
    assert judge.asked * judge.takes_s <= FREE_S + SHARE * 600 + judge.takes_s
    assert judge.asked > 5, "it is asked again, later"


def test_judge_that_raises_is_paid_for_as_well() -> None:
    """Otherwise a history that can't be judged would hold up each strike."""
    judge = Judge(FREE_S * 2)

    def fails() -> bool:
        judge()
        raise ValueError

    asks = Sparing(fails, lambda: judge.now_s)
    for _ in range(2):
        try:
            asks()
        except ValueError:
            continue
    assert judge.asked == 1
