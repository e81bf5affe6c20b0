"""Instances that already run, started by somebody else."""

from chaoscheck.engines.attach.engine import AttachEngine

__all__ = ["AttachEngine"]
