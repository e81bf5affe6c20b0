"""Tells answers without an end that the server is about to stop: it waits for them, and they would wait for it."""

import asyncio
import signal
import threading
from types import FrameType


class Leaving:
    """Begins with the signal that the server stops at, and says so before the server's own handler runs."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    async def wait(self) -> None:
        await self._begun.wait()

    async def watch(self) -> None:
        """To be run once the server has set its handlers, in the thread that may set any."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._precede(number, asyncio.get_running_loop())

    def _precede(self, number: signal.Signals, loop: asyncio.AbstractEventLoop) -> None:
        handler = signal.getsignal(number)
        if not callable(handler):
            return

        def tell_then_handle(received: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._begun.set)
            handler(received, frame)

        signal.signal(number, tell_then_handle)
