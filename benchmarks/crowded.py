"""Training beside busy neighbours: ``python -m benchmarks crowded [--quick]``.

Two students on two cores, or one student and a browser: more threads want to run than there are
cores. Then torch's threads wait for one another, and by default they wait by spinning, which takes
the core from the very thread they wait for. This benchmark trains the LSTM of chapter 00, alone and
beside four processes that never rest, under each policy of `POLICIES`. Each run is a fresh process,
because a policy is read once, when torch is loaded. The policies take turns. The full run takes
about ten minutes and is written to results/crowded.json and README.md.
"""

import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack

from benchmarks import _record

POLICIES = {  # name -> the environment of a notebook's kernel
    "2 threads": {"OMP_NUM_THREADS": "2"},
    "2 threads, passive": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"},
    "1 thread": {"OMP_NUM_THREADS": "1"},
}
NEIGHBOURS, ROUNDS, SECONDS = 4, 5, 10.0
BUSY = "while True: pass"


class Until:
    """A callback that stops training after ``seconds``, and counts from the tenth update on."""

    def __init__(self, seconds):
        self.seconds, self.first = seconds, None

    def on_step(self, run):
        now = time.monotonic()
        if run.step == 10:
            self.first = now
        elif self.first and now - self.first > self.seconds:
            self.tokens_per_second = (run.step - 10) * 8 * 16 / (now - self.first)
            run.stop()


def train(seconds):
    """Tokens a second of chapter 00's training, in this process."""
    import torch  # noqa: F401 (before minibert, which sets a policy, as a chapter does)

    import minibert as mb
    from minibert.models import baselines

    tokens = list(mb.world.generate(tokens=100_000, seed=0).tokens())
    vocab = baselines.vocabulary(tokens)
    ids, until = baselines.encode(tokens, vocab), Until(seconds)
    baselines.train_lstm(ids, len(vocab), epochs=99, callbacks=[until], progress=False)
    return until.tokens_per_second


def measure(policy, neighbours, seconds):
    """Tokens a second in a fresh process under a policy, with so many busy ones beside it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
    with ExitStack() as stack:
        for _ in range(neighbours):
            busy = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
            stack.callback(busy.kill)
        command = [sys.executable, "-m", "benchmarks.crowded", "--train", str(seconds)]
        environment |= POLICIES[policy]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(quick=False):
    rounds, seconds = (1, 2.0) if quick else (ROUNDS, SECONDS)
    speeds = {policy: {"alone": [], "crowded": []} for policy in POLICIES}
    results = {"machine": _record.machine("torch"), "loads": [], "tokens_per_second": speeds}
    for _ in range(rounds):
        results["loads"].append(_record.load())
        for policy, found in speeds.items():
            found["alone"].append(measure(policy, 0, seconds))
        for policy, found in speeds.items():
            found["crowded"].append(measure(policy, NEIGHBOURS, seconds))
    text = table(results)
    print(text)
    if not quick:
        _record.save("crowded", results)
        _record.put_into_readme("crowded", text)


def table(results):
    """A row for each policy, in Markdown: medians, and the slowest run beside neighbours."""
    lines = [
        f"| tokens/s, median | alone | beside {NEIGHBOURS} | slowest | times slower |",
        "|---|---|---|---|---|",
    ]
    for policy, found in results["tokens_per_second"].items():
        alone, crowded = (statistics.median(found[where]) for where in ("alone", "crowded"))
        lines.append(
            f"| {policy} | {alone:,.0f} | {crowded:,.0f} | {min(found['crowded']):,.0f} | "
            f"{alone / crowded:.1f}x |"
        )
    about, loads = results["machine"], results["loads"]
    lines += [
        "",
        f"{about['cpu']}, {about['cores']} cores; torch {about['torch']}, Python "
        f"{about['python']}; {about['date']}; rounds: {len(loads)}; load before the first "
        f"{loads[0]}, before the others up to {max(loads)} (the benchmark itself adds to it).",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    if "--train" in sys.argv:
        print(train(float(sys.argv[-1])))
    else:
        main("--quick" in sys.argv)
