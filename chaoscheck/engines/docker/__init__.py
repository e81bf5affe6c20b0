"""Instances in containers, through the engine's own SDK."""

from chaoscheck.engines.docker.engine import DockerEngine

__all__ = ["DockerEngine"]
