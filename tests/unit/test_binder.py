"""What Binder builds: the Dockerfile, by repo2docker itself where it is installed; the files."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "binder"
RENDER = """
import os, sys
from repo2docker.app import Repo2Docker
os.chdir(sys.argv[1])
app = Repo2Docker()
packs = (pack(base_image=app.base_image) for pack in app.buildpacks)
found = next(pack for pack in packs if pack.detect())
found.platform = "linux/amd64"
print(type(found).__name__, file=sys.stderr)
print(found.render({"NB_UID": "1000", "NB_USER": "jovyan", "REPO_DIR": "/home/jovyan"}))
"""


def repo2docker_python():
    """A Python that has repo2docker: ours, or the one that MINIBERT_REPO2DOCKER names."""
    python = os.environ.get("MINIBERT_REPO2DOCKER", sys.executable)
    found = subprocess.run([python, "-c", "import repo2docker"], capture_output=True)
    if found.returncode:
        pytest.skip(
            "repo2docker is not installed (it is needed by nothing else): install it into an "
            "environment of its own and name that one's Python in MINIBERT_REPO2DOCKER"
        )
    return python


def test_repo2docker_makes_a_dockerfile_of_it():
    python = repo2docker_python()
    done = subprocess.run(
        [python, "-c", RENDER, str(ROOT)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.split()[-1] == "PythonBuildPack"  # not environment.yml, which is for people
    dockerfile = re.sub(r"^ *#.*$", "", done.stdout, flags=re.MULTILINE)
    steps = [
        "py-2d3-2e12",  # the environment of the Python in runtime.txt
        "COPY --chown=1000:1000 src/ ${REPO_DIR}/",
        '/pip install --no-cache-dir -r "binder/requirements.txt"',  # it reads ../constraints.txt
        "RUN ./binder/postBuild",
        'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"',
    ]
    places = [dockerfile.find(step) for step in steps]
    assert -1 not in places and places == sorted(places), dict(zip(steps, places, strict=True))
    assert "environment.yml" not in dockerfile


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_the_scripts_are_shell_that_stops_at_an_error(name):
    path = FOLDER / name
    assert path.read_bytes().startswith(b"#!/usr/bin/env bash\n") and b"\r" not in path.read_bytes()
    if os.name != "nt":
        assert os.access(path, os.X_OK)
        assert subprocess.run(["bash", "-n", path]).returncode == 0
    text = path.read_text("utf-8")
    assert "set -eu" in text if name == "postBuild" else text.rstrip().endswith('exec "$@"')


def test_starting_does_nothing_but_set_threads():
    """Start-up work is what each visitor waits for."""
    done = subprocess.run(
        ["bash", FOLDER / "start", sys.executable, "-c", "import os; print(*os.environ)"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0
    assert {"OMP_NUM_THREADS", "OMP_WAIT_POLICY"} <= set(done.stdout.split())
    lines = (FOLDER / "start").read_text("utf-8").splitlines()
    assert len([line for line in lines if line and not line.startswith("#")]) == 2


def test_torch_is_the_cpu_build_and_nothing_else_brings_cuda():
    text = (FOLDER / "requirements.txt").read_text("utf-8")
    (torch,) = re.findall(r"^torch.*$", text, re.MULTILINE)
    assert torch.endswith("+cpu") and "download.pytorch.org/whl/cpu" in text
    assert not re.search(r"nvidia|cuda|cu\d\d\d", text)


def test_only_what_binder_reads_lies_in_the_folder():
    """A misnamed file would be ignored in silence."""
    names = {path.name for path in FOLDER.iterdir()}
    assert names == {"requirements.txt", "runtime.txt", "postBuild", "start"}
    assert re.fullmatch(r"python-3\.\d\d\n?", (FOLDER / "runtime.txt").read_text("utf-8"))
    constraints = re.findall(r"^-c (.*)$", (FOLDER / "requirements.txt").read_text(), re.MULTILINE)
    assert [(FOLDER / name).resolve() for name in constraints] == [ROOT / "constraints.txt"]
