"""What all tests share: no network, a folder of their own, and reasons where one is skipped."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import jaxtyping
import pytest
import torch
from hypothesis import settings

# The notebooks' kernels inherit two threads: for these the chapters declare their seconds. Tests
# themselves use one: their tensors are tiny, and threads that wait for each other cost a lot.
os.environ.setdefault("OMP_NUM_THREADS", "2")
torch.set_num_threads(1)

settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("full", deadline=None, max_examples=1000)
settings.load_profile("default")

# The annotations of models and heads, shapes above all, are checked at each call; an int will do
# for a float.
CHECKS = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
assert "minibert" not in sys.modules, "the hook must be there before what it changes"
jaxtyping.install_import_hook(["minibert.models", "minibert.heads"], CHECKS)

from minibert.course.learn import exercise  # noqa: E402, behind the hook

CONNECT = socket.socket.connect
HOMES = [os.environ.get("MINIBERT_HOME"), Path.home() / ".minibert"]  # before tests get their own


def pytest_configure(config):
    """Keep the learner's own files out of reach, and the network too.

    Exercises are listed in the order of their declaration: the chapters declare them first, before
    a test imports one of the modules that a chapter is made of.
    """
    config.test_home = tempfile.mkdtemp(prefix="minibert-test-home-")
    os.environ["MINIBERT_HOME"] = config.test_home
    socket.socket.connect = connect_locally
    for chapter in exercise.chapters_with_exercises():
        exercise.load(chapter)


def pytest_unconfigure(config):
    socket.socket.connect = CONNECT
    shutil.rmtree(config.test_home, ignore_errors=True)


def connect_locally(self, address):
    """`socket.connect` for this machine alone: a test that needs the network is a mistake."""
    if isinstance(address, tuple) and address[0] not in ("localhost", "127.0.0.1", "::1"):
        raise OSError(f"tests run offline, and this one wanted to connect to {address[0]}")
    return CONNECT(self, address)


def pytest_collection_modifyitems(items):
    """Skip the tests marked ``gpu`` where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture
def unchecked(monkeypatch):
    """No annotation is checked: for tests of how the library itself refuses what does not fit."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real data sets, ``MINIBERT_DATA``; without it the test is skipped."""
    named = os.environ.get("MINIBERT_DATA")
    if not named:
        pytest.skip("MINIBERT_DATA is not set: no real data sets here")
    if not Path(named).is_dir():
        pytest.fail(f"MINIBERT_DATA is {named}, which is no folder")
    return Path(named)


@pytest.fixture(scope="module")
def weights_of():
    """A function: name -> folder of published weights in the learner's own cache, only to be read.

    The test is skipped, with the command that fetches them, where they are not there.
    """
    from minibert.data.published import here, published

    with pytest.MonkeyPatch.context() as patch:

        def folder(name):
            for home in filter(None, HOMES):
                patch.setenv("MINIBERT_HOME", str(home))
                if found := here(published()[name]):
                    return found
            pytest.skip(f"published weights are not here: `minibert data get {name}` fetches them")

        yield folder


@pytest.fixture
def demo_course(monkeypatch, tmp_path):
    """The demonstration chapter's exercises, and a learner's folder of the test's own."""
    exercises = Path(__file__).parent / "notebooks" / "fixtures" / "exercises"
    monkeypatch.setenv("MINIBERT_EXERCISES", str(exercises))
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.delenv("MINIBERT_CHECK_LOG", raising=False)
    return tmp_path


@pytest.fixture
def memory_growth():
    """Runs a script in its own process; gives the MB by which its peak grew since `start()`."""
    pytest.importorskip("resource", reason="this system does not say how much memory is in use")

    def grown(script):
        script = f"{MEASURED}\n{script}\nprint((peak() - before) // 1024)"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    return grown


MEASURED = """
import resource
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def start():
    global before
    before = peak()
"""
