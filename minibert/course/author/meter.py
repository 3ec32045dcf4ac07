"""Seconds and peak memory of what a process starts; notebooks have a budget for both."""

import os
import threading
import time
from typing import Self

import psutil


class Meter:
    """Measures, while its block runs, the descendants of a process (default: this one).

    Afterwards ``seconds`` is the time that passed and ``megabytes`` the highest resident memory of
    all descendants together. Pages that several processes share count once, where the system tells
    (Linux); elsewhere they count in each.
    """

    def __init__(self, pid: int | None = None, interval: float = 0.1) -> None:
        self.pid, self.interval = pid or os.getpid(), interval
        self.seconds = self.megabytes = 0.0

    def __enter__(self) -> Self:
        self._start, self._over = time.perf_counter(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self.seconds = time.perf_counter() - self._start

    def _watch(self) -> None:
        while not self._over.wait(self.interval):
            self.megabytes = max(self.megabytes, resident(self.pid) / 1e6)


def resident(pid: int) -> int:
    """Bytes that the descendants of a process hold in memory now."""
    total = 0
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.Error:  # it has just ended
        return 0
    for child in children:
        try:
            memory = child.memory_full_info()
        except psutil.Error:
            continue
        total += getattr(memory, "pss", memory.rss)
    return total
