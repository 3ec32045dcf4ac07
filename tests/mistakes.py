"""Makes mistakes in the library, one at a time, and sees whether a test notices each.

``python -m tests.mistakes`` goes through ``mistakes.txt`` and runs, for each mistake, the tests
named beside it; ``python -m tests.mistakes heads optim`` takes only files with such names. The
exit status is 1 where a mistake goes unnoticed: then a test is missing. Each file is put back at
once; files with changes that are not committed are refused.
"""

import multiprocessing
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parent
ONCE = ["torch", "pytest", "hypothesis", "scipy.stats", "transformers"]  # slow to import
OPTIONS = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "--no-summary"]


class Mistake(NamedTuple):
    """``old``, ``new``: lines without indentation; ``tests``: files of tests."""

    path: Path
    tests: tuple
    old: tuple
    new: tuple

    def __str__(self):
        return f"{self.path.relative_to(ROOT)}: {' '.join(self.old)} -> {' '.join(self.new)}"

    def text(self):
        """The file with the mistake in it; ValueError unless it fits at exactly one place."""
        pattern, text = r"\n *".join(map(re.escape, self.old)), self.path.read_text("utf-8")
        found = list(re.finditer(rf"( *)(.*?)({pattern})", text))
        if len(found) != 1:
            raise ValueError(f"{self} fits at {len(found)} places, expected one")
        (match,) = found
        return text[: match.start(3)] + f"\n{match[1]}".join(self.new) + text[match.end() :]

    @contextmanager
    def made(self):
        """Within it the file has the mistake."""
        before, times, text = self.path.read_bytes(), self.path.stat(), self.text()
        try:
            self.path.write_text(text, "utf-8")
            yield
        finally:
            self.path.write_bytes(before)
            os.utime(self.path, ns=(times.st_atime_ns, times.st_mtime_ns))


def mistakes():
    """The table, a list of `Mistake`."""
    found, path, tests = [], None, ()
    for line in (HERE / "mistakes.txt").read_text("utf-8").splitlines():
        mark, rest = line[:1], line[2:].strip()
        if mark == "@":
            name, *names = rest.split()
            path, tests = ROOT / "minibert" / name, tuple(f"tests/{name}" for name in names)
        elif mark == "-" and (not found or found[-1].new or found[-1].path != path):
            found.append(Mistake(path, tests, (rest,), ()))
        elif mark == "-":
            found[-1] = found[-1]._replace(old=(*found[-1].old, rest))
        elif mark == "+":
            found[-1] = found[-1]._replace(new=(*found[-1].new, rest))
    return found


class FirstFailure:
    """A plugin of pytest: ``name``, the first test that failed, or the file without any."""

    name = None

    def pytest_runtest_logreport(self, report):
        self.name = self.name or (report.nodeid if report.failed else None)

    pytest_collectreport = pytest_runtest_logreport


def run(tests, answers):
    """Run tests in this process; puts into ``answers`` which one failed, None for none."""
    import pytest

    sys.dont_write_bytecode, sys.stdout = True, open(os.devnull, "w")
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    failure = FirstFailure()
    status = pytest.main([*OPTIONS, *tests], plugins=[failure])
    answers.put(failure.name or (f"pytest ended with {status!r}" if status else None))


def noticed(mistake):
    """The test that fails because of it, or None; in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(ONCE)
    answers = context.SimpleQueue()
    process = context.Process(target=run, args=(mistake.tests, answers))
    with mistake.made():
        process.start()
        process.join()
    return f"exit status {process.exitcode}" if answers.empty() else answers.get()


def main(*names):
    """Make the mistakes in files with these names; returns how many went unnoticed."""
    chosen = [m for m in mistakes() if not names or any(name in str(m.path) for name in names)]
    for one in chosen:
        one.text()
    changed = ["git", "diff", "--quiet", "HEAD", "--", *{str(one.path) for one in chosen}]
    if not chosen or subprocess.run(changed, cwd=ROOT).returncode:
        sys.exit("expected names of files that are in the table and have no uncommitted changes")
    missed = 0
    for one in chosen:
        test = noticed(one)
        missed += test is None
        print(f"{one}\n    {test or 'NOT NOTICED'}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} mistakes noticed")
    return missed


if __name__ == "__main__":
    sys.exit(min(1, main(*sys.argv[1:])))
