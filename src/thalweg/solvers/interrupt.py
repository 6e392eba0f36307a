"""Ctrl-C that waits for the step in hand, so that what the step leaves can be written down."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, final


@final
class Interrupt:
    """While entered, the first Ctrl-C only sets `asked`; the second one is a KeyboardInterrupt at once.

    It does nothing outside the main thread, or where the program handles Ctrl-C in a way of its own: an interrupt then
    comes as it would without.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self.asked = False
        self._wanted = wanted
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        main = threading.current_thread() is threading.main_thread()
        if self._wanted and main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
