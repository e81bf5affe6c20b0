"""How a run ends, whatever came: as an event, with everything that it started taken down."""

from __future__ import annotations

import errno
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any

from chaoscheck.errors import ChaosError, EnvironmentTrouble, PlanError
from chaoscheck.model import events
from chaoscheck.model.ops import Phase
from chaoscheck.phases.stage import Stage
from chaoscheck.phases.testimony import keep_logs
from chaoscheck.steps.confidential import confidential
from chaoscheck.steps.mask import Masker
from chaoscheck.store import RunFolder
from chaoscheck.traffic.base import Over

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, what a CI system sends when a job is cancelled, and what a closed terminal does."""


class Interrupts:
    """The first signal ends the phases as KeyboardInterrupt. Later ones are counted, so that no clean-up is cut off."""

    def __init__(self) -> None:
        self.count = 0
        self._held = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        # Only the main thread may handle signals, and what the caller chose to ignore (nohup) stays ignored.
        if threading.current_thread() is threading.main_thread():
            wanted = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._on) for number in wanted}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def hold(self) -> None:
        """From now on signals are only counted."""
        self._held = True

    def release(self) -> None:
        """From now on the next signal raises again."""
        self._held = False

    def _on(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if not self._held:
            self._held = True
            raise KeyboardInterrupt


@contextmanager
def ending(stage: Stage, folder: RunFolder, interrupts: Interrupts, *, keep: bool) -> Iterator[None]:
    """Trouble and Ctrl-C end the phases here, as events; then everything is taken down, unless it is to be kept."""
    try:
        yield
    except KeyboardInterrupt:
        stage.emit(events.Interrupted, during=stage.phase.value)
    except Exception as error:
        with suppress(Exception):
            # What workers said while the controller waited in vain: unheard, it would look as if they had been silent.
            stage.inbox.extend(stage.listen())
        with suppress(Exception):
            keep_logs(stage)
        message, hint, details = _told(error, folder, Masker(confidential(stage.loaded.plan, stage.loaded.filled)))
        stage.emit(
            events.Troubled,
            during=stage.phase.value,
            kind=type(error).__name__,
            message=message,
            hint=hint,
            details=details,
        )
    finally:
        interrupts.hold()
        _take_down(stage, folder, keep=keep)
        interrupts.release()


@contextmanager
def writing(folder: RunFolder) -> Iterator[None]:
    """Around what is written to the run's folder. Raises EnvironmentTrouble when it can't be."""
    try:
        yield
    except OSError as error:
        raise EnvironmentTrouble(_unwritable(folder, error), hint=_ROOM) from None


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_ROOM = "make room, or name another folder with --out"


def _unwritable(folder: RunFolder, error: OSError) -> str:
    return f"the run's folder {folder.path} can't be written: {error.strerror}"


def _told(error: Exception, folder: RunFolder, masker: Masker) -> tuple[str, str, str]:
    """Message, hint and details for the user: commands of the plan's and lines of the service's, secrets masked."""
    if isinstance(error, ChaosError):
        place = f"{error.place}: " if isinstance(error, PlanError) and error.place else ""
        return place + masker.known(error.message), masker.known(error.hint), masker.text(error.details)
    if isinstance(error, OSError) and error.errno in _FULL:
        return _unwritable(folder, error), _ROOM, ""
    return (
        masker.known(f"chaoscheck itself failed: {type(error).__name__}: {error}"),
        "this is a defect of chaoscheck, not of your service; the lines above belong into its report",
        masker.known(traceback.format_exc()),
    )


def _take_down(stage: Stage, folder: RunFolder, *, keep: bool) -> None:
    """Stop traffic, save the balancer's word, remove what the run made. Each part is tried whatever came before."""
    parts: list[Callable[[], object]] = [
        lambda: stage.enter(Phase.CLEAN),
        stage.traffic.stop,
        lambda: _close_histories(stage),
        lambda: folder.save_balancer(stage.balancer.log()),
    ]
    if keep:
        parts.append(lambda: _say_kept(stage))
    else:
        parts += [stage.balancer.close, stage.fleet.close, stage.transport.close]
    parts.append(lambda: folder.blacken_logs(confidential(stage.loaded.plan, stage.loaded.filled)))
    said: set[str] = set()
    for part in parts:
        try:
            part()
        except Exception as error:
            # A full disk must not keep a container alive, nor a lost engine a process.
            if str(error) not in said:
                said.add(str(error))
                with suppress(Exception):
                    stage.emit(events.Warned, text=f"clean-up: {error}")


def _close_histories(stage: Stage) -> None:
    """Record what each worker says it wrote, so that a history with less in it is never judged as whole."""
    for message in stage.traffic.heard():
        if isinstance(message, Over):
            stage.emit(events.HistoryClosed, writer=message.worker, operations=message.operations)


def _say_kept(stage: Stage) -> None:
    entry = f"users' entry at {stage.entry}, " if stage.entry else ""
    where = ", ".join(f"{item.name} at {item.address}" for item in stage.instances.values())
    stage.emit(events.Warned, text=f"left running: {entry}{where}; `chaoscheck clean`, or the next run, removes it")
