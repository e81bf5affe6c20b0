"""Finds the plug-ins: every module of the packages that hold them registers itself when it is imported."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable

PACKAGES = ("engines", "balancers", "faults", "promises", "checkers", "reporting")


def load(packages: Iterable[str] = PACKAGES) -> None:
    """Import all of those packages; a second time does nothing. Raises PluginRefused for two of one name."""
    for package in packages:
        home = importlib.import_module(f"chaoscheck.{package}")
        for module in pkgutil.walk_packages(home.__path__, f"{home.__name__}."):
            importlib.import_module(module.name)
