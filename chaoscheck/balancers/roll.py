"""Who was ever behind a balancer: a name or an address that served twice would make every label a guess."""

from __future__ import annotations

from chaoscheck.errors import EnvironmentTrouble, PlanError
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import Plan


class Roll:
    """Names and addresses of a run, each written down once."""

    def __init__(self) -> None:
        self._by_address: dict[Address, str] = {}
        self._names: set[str] = set()

    def enter(self, name: str, address: Address) -> None:
        """Write down a newcomer. Raises EnvironmentTrouble when its name or its address served before."""
        if name in self._names:
            raise EnvironmentTrouble(
                f"{name} is already known to the balancer", hint="every incarnation needs a name of its own"
            )
        former = self._by_address.get(address)
        if former is not None:
            raise EnvironmentTrouble(
                f"{name} has the address {address}, which was {former}'s in this run",
                hint="answers could not be told apart; the engine must give out new addresses",
            )
        self._names.add(name)
        self._by_address[address] = name


def require_mode(plan: Plan, kind: str, modes: tuple[str, ...], hint: str, place: str = "") -> None:
    """Raises PlanError when the plan's balancer.mode is none of `modes`."""
    if plan.balancer.mode not in modes:
        raise PlanError(
            f"balancer {kind} has no mode '{plan.balancer.mode}'; it has {', '.join(modes)}", hint=hint, place=place
        )
