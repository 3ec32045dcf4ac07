"""The meter sees the memory and the time of the processes that a process starts."""

import subprocess
import sys

from minibert.course.author.meter import Meter, resident

HOLD = """
import time
held = bytearray({size})
held[::4096] = b"x" * len(held[::4096])
time.sleep(1)
"""


def test_peak_memory_and_seconds_of_a_child():
    with Meter(interval=0.05) as meter:
        subprocess.run(
            [sys.executable, "-c", HOLD.format(size=200_000_000)], check=True, capture_output=True
        )
    assert 200 < meter.megabytes < 260
    assert 1 < meter.seconds < 30


def test_only_descendants_count_and_an_ended_process_has_none():
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
        assert resident(process.pid) == 0
