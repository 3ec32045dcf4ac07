"""A cache for results that belong to short strings."""

REMEMBERED = 1 << 16  # strings that a cache holds before it is emptied
SHORT = 64  # characters; longer strings are not remembered


class Cache(dict):
    """The result of ``make`` for a short string, remembered; a full cache is emptied."""

    def __init__(self, make):
        self.make = make

    def __missing__(self, key):
        value = self.make(key)
        if len(key) <= SHORT:
            if len(self) >= REMEMBERED:
                self.clear()
            self[key] = value
        return value
