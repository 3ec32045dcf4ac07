"""Kill -9 at random moments: the last good checkpoint loads, and training resumes exactly."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from minibert.storage.checkpoint import PART, Checkpoints

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
A_RUN = 10  # kills of one training run before it may end


class Nursery:
    """Starts training runs that can be killed (see training.py)."""

    def __init__(self):
        here = Path(__file__)
        tests = {"PYTHONPATH": str(here.parents[1])}  # where recurrent.py is
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **tests}
        command = [sys.executable, str(here.with_name("training.py"))]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environment, **pipes)
        self.whole = json.loads(self.line())  # of a run that nothing interrupts

    def line(self):
        return self.process.stdout.readline().strip()

    def start(self, folder):
        """Begin or go on; returns the number of the process."""
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        return int(self.line().split()[1])

    def rest(self):
        """What the process says until it is gone: the last step that it saved, and its result."""
        saved, result = 0, None
        while (line := self.line()) != "gone":
            if line.startswith("saved"):
                saved = int(line.split()[1])
            elif line:
                result = json.loads(line)
        return saved, result

    def killed(self, folder, after, share):
        """Start, wait for ``after`` checkpoints (2 or more) and a while, kill; the last step saved.

        The while is ``share`` of the time from one checkpoint to the next. None when the run ended
        before.
        """
        number, saved = self.start(folder), []
        while len(saved) < after:
            line = self.line()
            if not line.startswith("saved"):
                self.rest()
                return None
            saved.append(time.monotonic())
        time.sleep(share * (saved[-1] - saved[-2]))
        os.kill(number, signal.SIGKILL)
        last, result = self.rest()
        return None if result else last or int(line.split()[1])


@pytest.fixture(scope="module")
def nursery():
    made = Nursery()
    yield made
    made.process.stdin.close()
    made.process.wait(30)


def kill_often(nursery, tmp_path, kills, seed):
    """Kill runs ``kills`` times in all, letting each end after some; how many hit a write."""
    rng, inside, done, number = random.Random(seed), 0, 0, 0
    while done < kills:
        folder, last = tmp_path / f"run-{number}", 0
        number += 1
        for _ in range(min(A_RUN, kills - done)):
            saved = nursery.killed(folder, rng.randint(2, 3), rng.random())
            if saved is None:
                break
            inside += any(folder.glob(f"{PART}*"))
            done += 1
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # the newest one is whole: nothing is passed over
                _, _, record = Checkpoints(folder).load()
            assert last <= saved <= record["step"] <= saved + 1
            last = saved
        nursery.start(folder)
        _, result = nursery.rest()
        assert result == nursery.whole
        assert not any(folder.glob(f"{PART}*"))
    print(f"\n{done} kills in {number} runs, {inside} of them inside a write: all resumed exactly")
    return inside


def test_a_few_kills(nursery, tmp_path):
    kill_often(nursery, tmp_path, kills=5, seed=int(time.time()))


@pytest.mark.slow
def test_fifty_kills(nursery, tmp_path):
    assert kill_often(nursery, tmp_path, kills=50, seed=1) >= 10
