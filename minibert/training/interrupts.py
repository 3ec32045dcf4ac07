"""Ctrl-C while training: it waits for the end of an update, so that what is saved is whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from minibert.training import distributed

_asked = False


def asked() -> bool:
    """Whether Ctrl-C was pressed since training began."""
    return _asked


@contextmanager
def noted() -> Iterator[None]:
    """Within it the first Ctrl-C is only noted, for `asked`; a second one interrupts at once.

    Only in the main thread, and where Python itself would handle Ctrl-C. In several processes
    SIGTERM is noted too, which torchrun sends its processes when it is interrupted.
    """
    global _asked
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    before = {signal.SIGINT: signal.signal(signal.SIGINT, _note)}
    if distributed.size() > 1:
        before[signal.SIGTERM] = signal.signal(signal.SIGTERM, _note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked = False


def _note(number: int, frame: FrameType | None) -> None:
    global _asked
    if _asked and number == signal.SIGINT:
        raise KeyboardInterrupt
    _asked = True
