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
from repo2docker.buildpacks import CondaBuildPack, PythonBuildPack
os.chdir(sys.argv[1])
found = [pack for pack in (CondaBuildPack(), PythonBuildPack()) if pack.detect()]
print(type(found[0]).__name__, file=sys.stderr)
found[0].platform = "linux/amd64"
print(found[0].render({"NB_UID": "1000", "NB_USER": "jovyan"}))
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
    dockerfile = done.stdout
    assert "binder/requirements.txt" in dockerfile and "binder/postBuild" in dockerfile
    assert "environment.yml" not in re.sub(r"#.*", "", dockerfile).split("COPY --chown")[-1]
    assert 'R2D_ENTRYPOINT="/home/jovyan/binder/start"' in dockerfile.replace("${REPO_DIR}", ROOTED)
    # `-c ../constraints.txt` is outside of the folder: the whole repository must be there first
    assert dockerfile.index("COPY --chown") < dockerfile.index('-r "binder/requirements.txt"')


ROOTED = "/home/jovyan"


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
    assert done.returncode == 0 and "OMP_NUM_THREADS" in done.stdout.split()
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
