"""Every exception that chaoscheck raises on purpose.

ChaosError                    a sentence for the user, with a hint
├── PlanError                 the plan can't be used: file, line, nearest name
├── NotAllowed                what a flag of the command line has to allow first
├── EnvironmentTrouble        the run can't go on, whatever the service is worth
│   ├── EngineUnavailable     no engine answers
│   ├── EngineLost            it answered once and stopped answering
│   ├── BuildFailed           an image didn't build; carries its last lines
│   ├── ImageMissing          no such image here, and none to pull
│   ├── SetupFailed           a setup command ended with another code than 0
│   ├── PortTaken             an address is in use by someone else
│   ├── NotReady              nothing ready within the limit; carries the last thing seen
│   ├── InstanceCrashed       an instance ended by itself
│   └── StoreDied             a store ended unasked
├── TrafficTrouble            the load can't be trusted
│   └── WorkerDied            a worker process ended by itself
├── ProbeTrouble              the controller's own self-test failed
├── HistoryDamaged            a run directory that can't be read
└── PluginRefused             a plug-in that doesn't fit, found at registration
"""

from __future__ import annotations


class ChaosError(Exception):
    """Root of all: `message` is one sentence, `hint` what to do about it, `details` lines of evidence (log tails)."""

    def __init__(self, message: str, *, hint: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details


class PlanError(ChaosError):
    """The plan can't be used. `place` is `file:line` where it is known."""

    def __init__(self, message: str, *, place: str = "", hint: str = "", details: str = "") -> None:
        super().__init__(message, hint=hint, details=details)
        self.place = place


class NotAllowed(ChaosError):
    """What would be done needs the user's word on the command line; `details` say what that is. Nothing was done."""


class EnvironmentTrouble(ChaosError):
    """The run can't go on, whatever the service is worth."""


class EngineUnavailable(EnvironmentTrouble):
    """No engine answers."""


class EngineLost(EnvironmentTrouble):
    """The engine answered once and stopped answering."""


class BuildFailed(EnvironmentTrouble):
    """An image didn't build; `details` are its last lines."""


class ImageMissing(EnvironmentTrouble):
    """No such image here, and none to pull."""


class SetupFailed(EnvironmentTrouble):
    """A setup command ended with another code than 0; `details` are its last lines."""


class PortTaken(EnvironmentTrouble):
    """An address is in use by someone else."""


class NotReady(EnvironmentTrouble):
    """Nothing was ready within the limit; `details` are the last thing seen."""


class InstanceCrashed(EnvironmentTrouble):
    """An instance ended by itself; `details` is its log's tail."""


class StoreDied(EnvironmentTrouble):
    """A store ended unasked."""


class TrafficTrouble(ChaosError):
    """The load can't be trusted."""


class WorkerDied(TrafficTrouble):
    """A worker process ended by itself."""


class ProbeTrouble(ChaosError):
    """The controller's own self-test failed: an attempt was delivered more than once, or not at all."""


class HistoryDamaged(ChaosError):
    """A run directory that can't be read."""


class PluginRefused(ChaosError):
    """A plug-in that doesn't fit, found when it is registered."""
