"""A cache for results that belong to short strings."""

from collections.abc import Callable
from typing import Any

REMEMBERED = 1 << 16  # strings that a cache holds before it is emptied
SHORT = 64  # characters; longer strings are not remembered


class Cache(dict):
    """The result of ``make`` for a short string, remembered; a full cache is emptied."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        self.make = make

    def __missing__(self, key: str) -> Any:
        value = self.make(key)
        if len(key) <= SHORT:
            if len(self) >= REMEMBERED:
                self.clear()
            self[key] = value
        return value
