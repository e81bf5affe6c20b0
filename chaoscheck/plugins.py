"""Finds the plug-ins: our own packages, and what other distributions name as entry points `chaoscheck.plugins`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from chaoscheck.errors import PluginRefused

PACKAGES = ("engines", "balancers", "faults", "promises", "checkers", "reporting")
GROUP = "chaoscheck.plugins"


def load(packages: Iterable[str] = PACKAGES) -> None:
    """Import all of those packages, and every plug-in that is installed beside them; a second time does nothing.

    A module registers what it has when it is imported. Raises PluginRefused for two of one name, for one that lacks a
    part, and for one that can't be imported.
    """
    for package in packages:
        home = importlib.import_module(f"chaoscheck.{package}")
        for module in pkgutil.walk_packages(home.__path__, f"{home.__name__}."):
            importlib.import_module(module.name)
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        _load(point)


def _load(point: EntryPoint) -> None:
    """Whatever a foreign module does at import, the user is told whose it is."""
    source = point.dist.name if point.dist is not None else "an unnamed distribution"
    try:
        point.load()
    except Exception as error:
        why = error.message if isinstance(error, PluginRefused) else f"{type(error).__name__}: {error}"
        raise PluginRefused(
            f"the plug-in '{point.name}' ({point.value}) of {source} can't be used: {why}",
            hint=f"mend or uninstall {source}",
        ) from error
