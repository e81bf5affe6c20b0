"""Bare locust on one endpoint, in a process of its own: so many users who GET back to back, and nothing else."""

from __future__ import annotations

import json
import resource
import sys

import gevent
import locust
from locust.env import Environment


class Bare(locust.FastHttpUser):  # type: ignore[misc]
    """What a load test that records nothing would do."""

    @locust.task  # type: ignore[untyped-decorator]
    def get(self) -> None:
        self.client.get("/", name="get")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(host: str, users: int, seconds: float) -> None:
    environment = Environment(user_classes=[Bare], host=host)
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    while runner.user_count < users:
        gevent.sleep(0.05)
    gevent.sleep(0.5)
    cpu_s = _cpu_s()
    before = environment.stats.total.num_requests
    gevent.sleep(seconds)
    made = environment.stats.total.num_requests - before
    cpu_us = (_cpu_s() - cpu_s) / max(made, 1) * 1e6
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "rate": made / seconds,
                "cpu_us": cpu_us,
                "peak_mb": peak_mb,
                "failures": environment.stats.total.num_failures,
            }
        )
    )
    sys.stdout.flush()
    runner.quit()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
