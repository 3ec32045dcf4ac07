"""The chapters under test, and one measured run of each notebook that serves many tests.

Every source in ``chapters/source`` is tested, and a small demonstration chapter that is built here,
so that the machinery is tested whatever the chapters are.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from minibert.course.author import building
from minibert.course.author.meter import Meter

FIXTURES = Path(__file__).parent / "fixtures"
REPOSITORY = Path(__file__).parents[2]
CHAPTERS = REPOSITORY / "chapters"
DEMO = "90_demo"
NAMES = [DEMO, *(path.stem for path in sorted(CHAPTERS.glob("source/[0-9]*.py")))]


class ByNotebook(LoadScopeScheduling):
    """With ``-n 2``, all tests of one notebook go to one worker: it runs once.

    (xdist's own ``loadgroup`` does not do it: with pytest 9.2 it loses the groups.)
    """

    def _split_scope(self, nodeid):
        """The part in brackets, as in `test_it_runs[solved-01_word2vec]`, or the file."""
        file, _, test = nodeid.partition("::")
        return test.partition("[")[2] if file.endswith("test_chapters.py") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return ByNotebook(config, log)


@dataclass(frozen=True)
class Version:
    """One notebook: of which chapter, "unsolved" or "solved", and where."""

    chapter: building.Chapter
    kind: str

    @property
    def path(self):
        return getattr(self.chapter, self.kind)


@dataclass(frozen=True)
class Run:
    """What nbval's run of one notebook gave: its report, the checks' log, seconds, megabytes."""

    passed: bool
    report: str
    checks: list
    seconds: float
    megabytes: float


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory):
    """A folder `chapters` with the demonstration, built and executed."""
    root = tmp_path_factory.mktemp("demo") / "chapters"
    shutil.copytree(FIXTURES / "source", root / "source")
    shutil.copytree(FIXTURES / "exercises", root / "exercises")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIBERT_EXERCISES", str(root / "exercises"))
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        (chapter,) = building.sources(root)
        list(building.make(chapter))
    return root


@pytest.fixture(scope="session", params=NAMES)
def chapter(request, demo_root):
    """Each chapter in turn; the demonstration finds its own exercises."""
    root = demo_root if request.param == DEMO else CHAPTERS
    (found,) = (c for c in building.sources(root) if c.source.stem == request.param)
    with pytest.MonkeyPatch.context() as patch:
        if root is demo_root:
            patch.setenv("MINIBERT_EXERCISES", str(root / "exercises"))
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        yield found


@pytest.fixture(scope="session", params=building.KINDS)
def version(request, chapter):
    """Each notebook of each chapter."""
    return Version(chapter, request.param)


@pytest.fixture(scope="session")
def run(version, tmp_path_factory):
    """One run of the notebook under nbval: solved at full size, unsolved at smoke size.

    ``MINIBERT_NOTEBOOKS=full`` (``make notebooks``) runs both at full size.
    """
    log = tmp_path_factory.mktemp("run") / "checks.jsonl"
    small = version.kind == "unsolved" and os.environ.get("MINIBERT_NOTEBOOKS") != "full"
    threads = {"OMP_NUM_THREADS": "1"} if "PYTEST_XDIST_WORKER" in os.environ else {}
    environment = {
        **os.environ,
        **threads,
        "MINIBERT_CHECK_LOG": str(log),
        "MINIBERT_HOME": str(log.parent / "home"),
        "MINIBERT_SMOKE": "1" if small else "0",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider"]
    command += [f"--rootdir={version.path.parent}", "--nbval-lax", "--nbval-current-env"]
    command += ["--nbval-sanitize-with", str(Path(__file__).parent / "nbval_sanitize.cfg")]
    return measured([*command, str(version.path)], environment, log)


def measured(command, environment, log):
    """Run nbval, metering what it starts: the kernel and the kernel's workers."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        with Meter(process.pid) as meter:
            report, _ = process.communicate()
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    checks = [json.loads(line) for line in lines]
    return Run(process.returncode == 0, report, checks, meter.seconds, meter.megabytes)
