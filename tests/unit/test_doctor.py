"""`minibert doctor` is right about a good machine, and useful about a broken one."""

import builtins
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from minibert.commands import doctor
from minibert.commands import main as cli

ROOT = Path(__file__).resolve().parents[2]
OPTIONAL = ("jupyterlab", "ipykernel", "ipywidgets", "psutil", "d2l", "jupyter_client", "packaging")


@pytest.fixture
def without(monkeypatch):
    """A function that makes packages look as if they were not installed."""

    def hide(*packages):
        find_spec, find = importlib.util.find_spec, builtins.__import__

        def absent(name, *args):
            return None if name.split(".")[0] in packages else find_spec(name, *args)

        def refuse(name, *args, **options):
            if name.split(".")[0] in packages:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return find(name, *args, **options)

        monkeypatch.setattr(doctor, "find_spec", absent)
        monkeypatch.setattr(builtins, "__import__", refuse)

    return hide


def test_every_check_has_its_line_and_this_machine_is_fit(capsys):
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(doctor.CHECKS) + 2  # and an empty one, and the summary
    for line, name in zip(lines, doctor.CHECKS, strict=False):
        assert re.match(rf"(ok   |note ) {name} +\S", line), line
    assert lines[0].endswith(sys.executable)
    assert lines[-1].startswith("All that minibert needs is here.")


@pytest.mark.long
def test_it_runs_without_any_optional_package(tmp_path):
    code = f"""
import sys
sys.modules.update(dict.fromkeys({OPTIONAL!r}))  # importing any of them now fails
from minibert.commands.main import main
sys.exit(main(["doctor"]))
"""
    environment = {**os.environ, "MINIBERT_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note  Jupyter      not installed" in done.stdout
    assert "FIX" not in done.stdout
    assert done.stderr == ""


def test_a_failing_line_makes_the_exit_status_1(monkeypatch, capsys):
    monkeypatch.setitem(doctor.CHECKS, "disk", lambda: doctor.fix("buy a disk"))
    assert doctor.run(None) == 1
    out = capsys.readouterr().out
    assert "FIX   disk         buy a disk\n" in out
    assert out.endswith("Mend the lines marked FIX, from the top, and run this again.\n")


def test_a_check_that_breaks_is_a_line_too(monkeypatch):
    def broken():
        raise RuntimeError("no such\n thing")

    monkeypatch.setattr(doctor, "CHECKS", {"broken": broken})
    ((name, finding),) = doctor.examine()
    assert (name, finding) == ("broken", ("FIX", "this check failed: no such thing"))


def test_an_old_python_must_go_and_a_new_one_is_noted(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 13))
    assert doctor.check_python().status == "FIX"
    monkeypatch.setattr(doctor.sys, "version_info", (3, 15, 0))
    assert doctor.check_python().status == "note"


def test_a_missing_torch_is_essential_and_told_once(without):
    without("torch")
    found = dict(doctor.examine())
    assert found["torch"].status == "FIX"
    assert "No module named 'torch'" in found["torch"].text
    assert found["device"] == ("note", "not looked at: this takes torch")


def test_a_device_that_does_not_exist_names_the_variable(monkeypatch):
    monkeypatch.setenv("MINIBERT_DEVICE", "gpu")
    finding = doctor.check_device()
    assert finding.status == "FIX"
    assert finding.text.endswith("MINIBERT_DEVICE is 'gpu'; unset it")


@pytest.mark.parametrize(("free", "status"), [(5e9, "ok"), (1e9, "note")])
def test_memory_is_compared_with_what_a_chapter_needs(free, status, monkeypatch):
    monkeypatch.setattr(doctor, "_memory", lambda: (8e9, free))
    finding = doctor.check_memory()
    assert finding.status == status
    assert finding.text.startswith(f"8.0 GB, {free / 1e9:.1f} GB free")


def test_memory_counts_a_containers_limit(monkeypatch):
    told = {"/sys/fs/cgroup/memory.max": "3000000000\n", "/sys/fs/cgroup/memory.current": "1000"}
    monkeypatch.setattr(Path, "read_text", lambda path, *args: told[path.as_posix()])
    total, free = doctor._memory()
    assert total == 3e9
    assert free <= 3e9 - 1000


def test_memory_is_told_without_psutil(without):
    total, _ = doctor._memory()
    without("psutil")
    again, _ = doctor._memory()
    assert again in (None, pytest.approx(total, rel=0.05))  # None: a system that does not tell


def test_more_threads_than_cores_are_noted(monkeypatch):
    assert doctor.check_cores().status == "ok"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1000)
    assert re.search(r"1000 threads: set OMP_NUM_THREADS=\d+$", doctor.check_cores().text)


@pytest.mark.parametrize(
    ("starts", "status"),
    [(sys.executable, "ok"), ("python", "ok"), (os.path.abspath("/other/bin/python"), "FIX")],
)
def test_the_kernel_must_start_this_python(starts, status, monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager

    spec = SimpleNamespace(argv=[starts, "-m", "ipykernel_launcher"])
    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda self, name: spec)
    finding = doctor.check_kernel()
    assert finding.status == status
    if status == "FIX":
        assert starts in finding.text
        assert f'"{sys.executable}" -m ipykernel install' in finding.text


def test_a_missing_kernel_is_told(monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    def none(self, name):
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    assert doctor.check_kernel().status == "FIX"


def test_widgets_that_do_not_fit_are_told(monkeypatch):
    versions = {"ipywidgets": "8.1.9", "jupyterlab_widgets": "1.1.0"}
    monkeypatch.setattr(doctor, "version", versions.__getitem__)
    finding = doctor.check_widgets()
    assert finding.status == "FIX"
    assert "ipywidgets 8.1.9 and jupyterlab_widgets 1.1.0 do not fit" in finding.text


def test_widgets_that_jupyterlab_does_not_see_are_told(monkeypatch):
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *parts: ["/nowhere"])
    assert "does not see its widget extension" in doctor.check_widgets().text


def test_a_missing_d2l_is_optional_and_names_the_command(monkeypatch):
    def absent():
        raise ImportError("d2l is not installed; install it with: pip install --no-deps d2l")

    monkeypatch.setattr("minibert.course.learn.d2l.d2l", absent)
    finding = doctor.check_d2l()
    assert finding.status == "note"
    assert "pip install --no-deps d2l" in finding.text


def test_other_versions_are_named(tmp_path, monkeypatch):
    lines = ["# pins", f"torch=={torch.__version__.partition('+')[0]}", "pytest==1.0", "nowhere==1"]
    lines += ["hypothesis==1 ; sys_platform == 'nowhere'"]
    (tmp_path / "constraints.txt").write_text("\n".join(lines), "utf-8")
    monkeypatch.setattr(doctor, "REPOSITORY", tmp_path)
    finding = doctor.check_versions()
    assert finding.status == "note"
    assert finding.text.startswith("1 of 2 differ from the tested ones: pytest ")
    assert finding.text.endswith("(tested: 1.0)")


def test_the_data_folder_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.delenv("MINIBERT_DATA", raising=False)
    assert doctor.check_data().status == "ok"
    monkeypatch.setenv("MINIBERT_DATA", str(tmp_path / "none"))
    assert "which is no folder" in doctor.check_data().text
    monkeypatch.setenv("MINIBERT_DATA", str(tmp_path))
    assert "which is empty" in doctor.check_data().text
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "corpus.txt").write_bytes(bytes(20_000_000))
    assert doctor.check_data() == (
        "ok",
        f"generated, and 1 file (0.02 GB) in MINIBERT_DATA={tmp_path}",
    )


def test_a_home_that_cannot_be_written_to_is_essential(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way", "utf-8")
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "file"))
    finding = doctor.check_folder()
    assert finding.status == "FIX"
    assert "set MINIBERT_HOME to a folder of your own" in finding.text
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "new"))
    assert doctor.check_folder().status == "ok"
    assert list((tmp_path / "new").iterdir()) == []


def test_a_full_disk_is_noted(monkeypatch):
    assert doctor.check_disk().status == "ok"
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=5e8))
    assert doctor.check_disk().text.startswith("0.50 GB free at ")
