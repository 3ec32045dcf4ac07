"""The package, its command line and its pinned versions hang together."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import minibert
from minibert.commands import main as cli

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "d2l",
    "transformers",
    "matplotlib",
    "ipywidgets",
    "IPython",
    "pandas",
    "sklearn",
    "gensim",
)
PYTHONS = ("3.11.9", "3.12.9", "3.13.9", "3.14.2")
SYSTEMS = ("linux", "darwin", "win32")


def run_python(code, **environment):
    environment = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT
    )


def minibert_command(monkeypatch, capsys, *argv):
    """(exit status, stdout, stderr) of the command line, run in this process."""
    monkeypatch.delenv("MINIBERT_DEBUG", raising=False)
    try:
        status = cli.main(argv)
    except SystemExit as stop:  # argparse: --help, --version and misuse
        status = stop.code
    return status, *capsys.readouterr()


def pins():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_import_is_light():
    done = run_python("import sys, minibert; print(*{name.split('.')[0] for name in sys.modules})")
    loaded = set(done.stdout.split())
    assert "minibert" in loaded, done.stderr
    assert not loaded.intersection(HEAVY)


def test_threads_that_wait_sleep_unless_somebody_wants_otherwise():
    code = "import minibert, os; print(os.environ['OMP_WAIT_POLICY'])"
    without = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    for given, wanted in (({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")):
        command = {"capture_output": True, "text": True, "env": without | given, "cwd": ROOT}
        done = subprocess.run([sys.executable, "-c", code], **command)
        assert done.stdout.strip() == wanted, done.stderr
        if shutil.which("make"):  # what `make lab` starts JupyterLab with
            told = "include Makefile\ntold:\n\t@echo $$OMP_WAIT_POLICY\n"
            done = subprocess.run(
                ["make", "--no-print-directory", "-f", "-", "told"], input=told, **command
            )
            assert done.stdout.strip() == wanted, done.stderr
    assert "OMP_WAIT_POLICY: PASSIVE" in (ROOT / "environment.yml").read_text("utf-8")
    assert '"OMP_WAIT_POLICY": "PASSIVE"' in (ROOT / "docs/jupyterhub.md").read_text("utf-8")


@pytest.mark.long
def test_the_core_needs_none_of_the_optional_packages():
    code = f"""
import sys
sys.modules.update(dict.fromkeys({HEAVY!r}))  # importing any of them now fails
import minibert as mb
mb.seed_everything(0), mb.device(), mb.fit, mb.Word2Vec, mb.world.generate
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", minibert.__all__)
def test_public_names_resolve(name):
    assert getattr(minibert, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="attribute word2vek"):
        minibert.word2vek  # noqa: B018 - the access is the test


def test_version_is_told_once():
    assert project()["version"] == minibert.__version__
    assert f"version: {minibert.__version__}" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## {minibert.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_is_pinned_once(python, system):
    place = {
        "python_version": python.rpartition(".")[0],
        "python_full_version": python,
        "sys_platform": system,
        "os_name": "nt" if system == "win32" else "posix",
    }
    pinned = {}
    for pin in pins():
        if pin.marker is None or pin.marker.evaluate(place):
            assert pin.name not in pinned, f"two pins of {pin.name} on {python}, {system}"
            pinned[pin.name] = pin.specifier
    extras = project()["optional-dependencies"].values()
    for text in [*project()["dependencies"], *(text for extra in extras for text in extra)]:
        wanted = Requirement(text)
        if wanted.name == "minibert" or (wanted.marker and not wanted.marker.evaluate(place)):
            continue
        (specifier,) = pinned[wanted.name]
        assert specifier.operator == "=="
        assert wanted.specifier.contains(specifier.version)


def test_constraints_name_no_host_and_no_gpu_packages():
    text = (ROOT / "constraints.txt").read_text("utf-8")
    assert not re.search(r"://|^(nvidia|cuda|triton)|(^|\s)/", text, re.MULTILINE)


def test_d2l_and_torch_are_the_same_everywhere():
    pinned = {pin.name: str(pin.specifier) for pin in pins()}
    for name in ("Makefile", "docs/install.md", "binder/postBuild", ".github/workflows/test.yml"):
        told = re.findall(r"d2l(==[\d.]+\d)", (ROOT / name).read_text("utf-8"))
        assert set(told) == {pinned["d2l"]}, name
    assert f"torch{pinned['torch']}+cpu" in (ROOT / "binder/requirements.txt").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert f"TORCH_VERSION := {pinned['torch'].lstrip('=')}\n" in makefile


def test_binder_installs_all_that_the_chapters_need():
    lines = (ROOT / "binder/requirements.txt").read_text("utf-8").splitlines()
    listed = {Requirement(line).name for line in lines if line and line[0] not in "#-"}
    brought = {"jupyterlab", "ipykernel", "ipywidgets"}  # by Binder's own image
    wanted = [*project()["dependencies"], *project()["optional-dependencies"]["lab"]]
    assert listed == {Requirement(text).name for text in wanted} - brought
    for script in ("binder/postBuild", "binder/start", ".ci/run"):
        assert os.access(ROOT / script, os.X_OK) or os.name == "nt"


def test_this_python_is_one_of_those_promised():
    promised = [
        text.rpartition(" ")[2] for text in project()["classifiers"] if "Python :: 3." in text
    ]
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in promised
    assert {".".join(python.split(".")[:2]) for python in PYTHONS} == set(promised)
    assert project()["requires-python"] == f">={min(promised, key=Version)}"


def test_command_line_tells_its_version(monkeypatch, capsys):
    status, out, _ = minibert_command(monkeypatch, capsys, "--version")
    assert (status, out) == (0, f"minibert {minibert.__version__}\n")


def test_python_m_minibert_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "minibert", "--version"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout == f"minibert {minibert.__version__}\n", done.stderr


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_each_command_has_its_help(command, monkeypatch, capsys):
    status, out, err = minibert_command(monkeypatch, capsys, command, "--help")
    assert status == 0, err
    assert f"usage: minibert {command}" in out


def test_help_imports_no_command():
    code = """
import sys
from minibert.commands.main import main
try:
    main(["--help"])
except SystemExit:
    print(*[name for name in sys.modules if name in ("torch", "minibert.commands.doctor")], "end")
"""
    assert run_python(code).stdout.splitlines()[-1] == "end"


def test_a_wrong_command_is_misuse(monkeypatch, capsys):
    status, _, err = minibert_command(monkeypatch, capsys, "docter")
    assert status == 2
    assert "docter" in err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("size must be positive,\n got -1"), "size must be positive, got -1"),
        (FileNotFoundError(2, "No such file or directory", "a.txt"), "a.txt: No such file"),
        (FileNotFoundError("no corpus at a.txt"), "no corpus at a.txt"),
        (ImportError("d2l is not installed"), "d2l is not installed"),
        (KeyError("cat"), "KeyError: 'cat' (unexpected; MINIBERT_DEBUG=1"),
    ],
)
def test_an_error_is_one_line(error, line, monkeypatch, capsys):
    def fail(args):
        raise error

    monkeypatch.setattr("minibert.commands.doctor.run", fail)
    status, out, err = minibert_command(monkeypatch, capsys, "doctor")
    assert (status, out) == (1, "")
    assert err.startswith(f"minibert: {line}")
    assert err.count("\n") == 1


def test_debug_shows_the_traceback(monkeypatch):
    def fail(args):
        raise ValueError("size")

    monkeypatch.setattr("minibert.commands.doctor.run", fail)
    monkeypatch.setenv("MINIBERT_DEBUG", "1")
    with pytest.raises(ValueError, match="size"):
        cli.main(["doctor"])


def test_an_interrupt_is_130_and_a_line(monkeypatch, capsys):
    def interrupt(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("minibert.commands.doctor.run", interrupt)
    status, _, err = minibert_command(monkeypatch, capsys, "doctor")
    assert status == 130
    assert err == "minibert: stopped by you (Ctrl-C).\n"


def test_tests_keep_out_of_the_learners_folder_and_offline():
    import socket

    from minibert.storage.safe_files import home

    assert home() != Path.home() / ".minibert"
    with pytest.raises(OSError, match="tests run offline"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
