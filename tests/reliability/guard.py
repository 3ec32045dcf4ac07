"""A process in which a reader may try what it likes: with little memory, and watched."""

import faulthandler
import json
import os
import resource
import signal
import sys
import time
import traceback

import numpy as np
import pytest
import torch._dynamo  # noqa: F401 - torch loads it at some first use, and then looks for places to write

MEMORY = 1 << 30  # bytes of address space beyond what the process has
RISE = 256 << 20  # bytes that it may become larger
SECONDS = 10  # of the processor, for one file
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen",
             "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod",
             "shutil", "socket.connect", "pickle.find_class", "ctypes.dlopen", "pty.spawn",
             "os.truncate", "webbrowser.open", "tempfile.mkdtemp")  # fmt: skip


class Broken(BaseException):
    """What a reader must never do: run something, write something, or take too long."""


class Watch:
    """An audit hook: while ``on``, no other program, no network, no class by name, no writing."""

    def __init__(self):
        self.on, self.seen = False, []
        self.own = None  # a folder in which files may be put aside
        sys.addaudithook(self)

    def __call__(self, event, args):
        if not self.on:
            return
        if event in ("os.rename", "os.remove") and self.own and str(args[0]).startswith(self.own):
            return
        if event == "os.mkdir" and os.path.isdir(args[0]):
            return  # nothing happens
        writes = event == "open" and _writes(args[1], args[2])
        if writes or event.startswith(FORBIDDEN):
            self.seen.append(f"{event} {args!r:.200}")

    def __enter__(self):
        self.on, self.seen = True, []
        signal.setitimer(signal.ITIMER_PROF, SECONDS)

    def __exit__(self, *error):
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.on = False
        if self.seen:
            raise Broken(f"the reader did what no reader may: {self.seen}")


def _writes(mode, flags):
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def apart(function):
    """What ``function(watch)`` returns (as JSON can hold it), called in a process of its own.

    The test fails where it raises, crashes, or grows by more than `RISE`.
    """
    ours, theirs = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(ours)
        with os.fdopen(theirs, "w") as pipe:
            json.dump(_guarded(function), pipe)
            pipe.flush()
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if not told:
        pytest.fail(f"the reader crashed the process (status {status})")
    told = json.loads(told)
    if "failure" in told:
        pytest.fail(told["failure"])
    return told["result"]


def _guarded(function):
    np.ones(1)  # whatever is made at first use is there
    faulthandler.enable()
    signal.signal(signal.SIGPROF, _too_long)
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    try:
        result = function(Watch())
    except BaseException:
        return {"failure": traceback.format_exc()[-6000:]}
    rise = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    if rise > RISE:
        return {"failure": f"the process grew by {rise >> 20} MB"}
    return {"result": {**result, "megabytes": rise >> 20, "seconds": time.process_time() - start}}


def _too_long(*_):
    raise Broken(f"the reader took more than {SECONDS} s")
