"""What runs leave in the user's folders, marked so that neither git nor an image takes it along."""

from __future__ import annotations

IGNORE = "# What chaoscheck's runs leave here.\n*\n"
"""`.gitignore` of a folder of runs that was new: all in it is ours."""
EVENTS = "events.ndjson"
"""Every run's folder has it."""
