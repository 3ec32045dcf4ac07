"""Remembering what a short string gave."""

REMEMBERED = 1 << 16  # strings that a cache holds before it starts anew
SHORT = 64  # characters; longer strings are not remembered


class Cache(dict):
    """What ``make`` gives for a short string, remembered; it starts anew when it is full."""

    def __init__(self, make):
        self.make = make

    def __missing__(self, key):
        value = self.make(key)
        if len(key) <= SHORT:
            if len(self) >= REMEMBERED:
                self.clear()
            self[key] = value
        return value
