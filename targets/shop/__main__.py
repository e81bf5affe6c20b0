"""Runs one instance, settings from the environment: `python -m targets.shop`, or `python .` in this folder."""

import sys
from pathlib import Path

if not __package__:
    # Run as a folder, Python knows no package: so name it, and look for it beside us.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    __package__ = "shop"

import uvicorn

from .settings import Settings, SettingsError


def main() -> None:
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        sys.exit(f"shop: {error}")
    uvicorn.run(
        f"{__package__}.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        access_log=False,
        log_level="warning",
        # Longer than any balancer or client keeps an idle connection: closing first would lose a request in flight.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
