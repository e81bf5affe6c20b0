"""Finds the plug-ins: every module of the packages that hold them registers itself when it is imported."""

from __future__ import annotations

import importlib
import pkgutil

PACKAGES = ("engines", "balancers", "faults", "promises", "checkers", "reporting")


def load() -> None:
    """Import all of them; a second time does nothing. Raises PluginRefused for two of one name."""
    for package in PACKAGES:
        home = importlib.import_module(f"chaoscheck.{package}")
        for module in pkgutil.walk_packages(home.__path__, f"{home.__name__}."):
            importlib.import_module(module.name)
