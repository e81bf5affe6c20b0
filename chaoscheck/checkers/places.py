"""Where in the plan stands what a gate or a finding judges, as `plan.yaml:12`."""

from __future__ import annotations

from collections.abc import Sequence

from chaoscheck.model.verdict import Gate
from chaoscheck.plan.plan import LoadedPlan

_KEYS = {
    "baseline within the SLO": ("budget", "slo"),
    "bad seconds a kill": ("budget",),
    "latency p99 under kills": ("budget", "latency_p99"),
    "recovery": ("budget", "recovery"),
}


def place(loaded: LoadedPlan, file: str, *keys: str) -> str:
    """Of that key or its nearest ancestor, in the `file` that the run was started with; "" where no line is known."""
    line = loaded.line(*keys)
    return f"{file}:{line}" if line else ""


def gate_place(gate: Gate, loaded: LoadedPlan, file: str) -> str:
    """Of the promise that the gate's name begins with, or of the section that it judges."""
    if gate.group in ("budget", "recovery"):
        return place(loaded, file, *_KEYS.get(gate.name, ("budget",)))
    promise = _promise(gate, list(loaded.plan.promises))
    return place(loaded, file, "promises", promise) if promise else ""


def _promise(gate: Gate, promises: Sequence[str]) -> str:
    """The longest name wins: `note: new` is no check of `note`."""
    for name in sorted(promises, key=len, reverse=True):
        if gate.name == name or gate.name.startswith((f"{name}: ", f"{name}.")):
            return name
    return ""
