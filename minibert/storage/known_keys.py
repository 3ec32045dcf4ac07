"""Keys of a published settings file: each is taken, held to a value, or known to change nothing.

A key that nobody looks at may be the one that makes a model compute something else. So a reader
names the keys that it takes, those that may have one value only, and those that do not matter; what
is left is refused, unless it is switched off.
"""

from collections.abc import Collection, Mapping

OFF: tuple = (None, False, 0, "", [], {})


def check_known(
    given: Mapping,
    source: object,
    *,
    taken: Collection[str] = (),
    fixed: Mapping[str, tuple] = {},  # noqa: B006 - never changed
    ignored: Collection[str] = (),
) -> None:
    """Refuse a key of ``given`` that would be dropped although it may matter.

    taken: keys that the caller reads. fixed: key to the values that it may have. ignored: keys that
    do not change what is computed. Raises ValueError, naming ``source`` and the key.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"expected an object in {source}, got {type(given).__name__}")
    for key, value in given.items():
        if key in taken or key in ignored:
            continue
        if key in fixed:
            if value not in fixed[key]:
                expected = " or ".join(map(repr, fixed[key]))
                raise ValueError(
                    f"{source} has {key}={value!r:.60}, which minibert cannot follow: "
                    f"it knows only {expected} there"
                )
        elif value not in OFF:
            raise ValueError(
                f"{source} has the key {key!r:.60}, which minibert does not know and which may "
                "change what is computed; remove it from the file if it does not"
            )
