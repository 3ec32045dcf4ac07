"""A fence around a process: on Linux it reaches the folders that are named, and no others.

Landlock (Linux 5.13; sockets since 6.7, signals since 6.12) lets a program give up rights for good,
for itself and all that it starts, without being root. Other systems have no fence here.
"""

import ctypes
import os
import sys
from collections.abc import Iterable

CREATE, ADD, RESTRICT = 444, 445, 446  # system calls, of one number on every processor
PATH_BENEATH, NET_PORT = 1, 2  # kinds of rules
NO_NEW_PRIVILEGES, CHILD_SUBREAPER = 38, 36  # of prctl
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}  # version -> all rights it knows
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14  # the last: to cut it short
BIND, CONNECT = 1, 2


class Rights(ctypes.Structure):
    """``struct landlock_ruleset_attr``."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("files", "net", "scoped")]


class Beneath(ctypes.Structure):
    """``struct landlock_path_beneath_attr``; the kernel reads its first 12 bytes."""

    _fields_ = [("rights", ctypes.c_uint64), ("folder", ctypes.c_int32)]


class Port(ctypes.Structure):
    """``struct landlock_net_port_attr``."""

    _fields_ = [("rights", ctypes.c_uint64), ("port", ctypes.c_uint64)]


def version() -> int:
    """The version of Landlock that this system has; 0 for none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, ctypes.CDLL(None).syscall(CREATE, None, ctypes.c_size_t(0), 1))


def close(
    readable: Iterable[str],
    writable: Iterable[str],
    listed: Iterable[str] = (),
    ports: tuple[Iterable[int], Iterable[int]] = ((), ()),
) -> bool:
    """Give up whatever is not named, for good; False where this system has no Landlock.

    ``listed`` are folders whose names can be read, but not the files; ``ports`` are those of TCP to
    listen on, and to call. What does not exist is passed over.
    """
    known = version()
    if not known:
        return False
    every = FILES[min(known, 3)]
    rights = Rights(every, BIND | CONNECT if known >= 4 else 0, 3 if known >= 6 else 0)
    size = 8 if known < 4 else 16 if known < 6 else 24
    libc = ctypes.CDLL(None, use_errno=True)
    rules = _done(libc.syscall(CREATE, ctypes.byref(rights), ctypes.c_size_t(size), 0))
    reading = EXECUTE | READ_FILE | READ_DIR
    for paths, right in ((readable, reading), (writable, every), (listed, READ_DIR)):
        for path in paths:
            _open_to(libc, rules, path, right)
    for numbers, right in zip(ports, (BIND, CONNECT), strict=True):
        for number in numbers if known >= 4 else ():
            rule = Port(right, number)
            _done(libc.syscall(ADD, rules, NET_PORT, ctypes.byref(rule), 0))
    _done(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _done(libc.syscall(RESTRICT, rules, 0))
    os.close(rules)
    return True


def adopt() -> None:
    """On Linux, become the parent of all orphans below, who would else outlive those they left."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(CHILD_SUBREAPER, 1, 0, 0, 0)


def _open_to(libc, rules, path, rights):
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rule = Beneath(rights if os.path.isdir(path) else rights & OF_A_FILE, place)
    _done(libc.syscall(ADD, rules, PATH_BENEATH, ctypes.byref(rule), 0))
    os.close(place)


def _done(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
