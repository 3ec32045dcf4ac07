"""``minibert doctor``: what works on this machine, and what to do about what does not.

Each check is a function that returns a `Finding`. Nothing here needs Jupyter or any other optional
package to be installed: what is missing is what the check reports.
"""

import os
import shutil
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from minibert.storage.safe_files import home

REPOSITORY = Path(__file__).resolve().parents[2]
GB = 10**9
LEAST_MEMORY = 2 * GB  # the most that a chapter may need
LEAST_DISK = 1 * GB
INSTALL = '`make clean lab`, or pip install -c constraints.txt -e ".[lab]"'


class Finding(NamedTuple):
    """What a check found; ``status`` is ``ok``, ``note`` (works without) or ``FIX`` (does not)."""

    status: str
    text: str


ok, note, fix = (partial(Finding, status) for status in ("ok", "note", "FIX"))


def check_python() -> Finding:
    number = ".".join(map(str, sys.version_info[:3]))
    where = f"{number} at {sys.executable}"
    if sys.version_info < (3, 11):  # noqa: UP036 - run from a clone, nothing has checked this yet
        return fix(f"{where}: minibert needs 3.11 or newer; see docs/install.md")
    if sys.version_info >= (3, 15):
        return note(f"{where}: tested with 3.11 to 3.14; if something fails, use one of those")
    return ok(where)


def check_torch() -> Finding:
    try:
        import numpy
        import torch

        total = torch.from_numpy(numpy.ones((2, 2), dtype="float32")).sum().item()
    except Exception as error:  # a broken build fails in many ways
        return fix(f"{_reason(error)}; install it again: {INSTALL}")
    if total != 4:
        return fix(f"torch adds four ones to {total}; install it again: {INSTALL}")
    return ok(f"{torch.__version__} with numpy {numpy.__version__}")


def check_device() -> Finding:
    import torch

    from minibert.runtime import device

    try:
        chosen = device()
        torch.ones(2, device=chosen).sum().item()
    except Exception as error:
        asked = os.environ.get("MINIBERT_DEVICE")
        remedy = f"MINIBERT_DEVICE is {asked!r}; unset it" if asked else "set MINIBERT_DEVICE=cpu"
        return fix(f"{_reason(error)}; {remedy}")
    if chosen.type == "cuda":
        properties = torch.cuda.get_device_properties(chosen)
        return ok(f"{chosen}: {properties.name}, {properties.total_memory / GB:.0f} GB")
    if chosen.type == "cpu":
        return ok("cpu (the chapters are made for it; no GPU is needed)")
    return ok(str(chosen))


def check_memory() -> Finding:
    total, free = _memory()
    if total is None:
        return note("unknown on this system; a chapter needs at most 2 GB")
    text = f"{total / GB:.1f} GB" + ("" if free is None else f", {free / GB:.1f} GB free")
    if (total if free is None else free) < LEAST_MEMORY:
        return note(f"{text}: a chapter may need 2 GB, so close other programs and notebooks")
    return ok(text)


def check_cores() -> Finding:
    import torch

    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    threads = torch.get_num_threads()
    if threads > cores:
        return note(f"{cores}, but torch uses {threads} threads: set OMP_NUM_THREADS={cores}")
    return ok(f"{cores}, torch uses {threads} thread{'s' * (threads != 1)}")


def check_jupyter() -> Finding:
    if find_spec("jupyterlab") is None or find_spec("ipykernel") is None:
        return note(f"not installed; to open the chapters, {INSTALL}")
    if not version("jupyterlab").startswith("4."):
        return note(f"JupyterLab {version('jupyterlab')}; the chapters are made for 4: {INSTALL}")
    return ok(f"JupyterLab {version('jupyterlab')}, ipykernel {version('ipykernel')}")


def check_kernel() -> Finding:
    """The notebooks ask for the kernel ``python3``: it has to start this very Python."""
    if find_spec("jupyter_client") is None or find_spec("ipykernel") is None:
        return note(f"needs Jupyter: {INSTALL}")
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    remedy = f'"{sys.executable}" -m ipykernel install --sys-prefix'
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return fix(f"there is no kernel named python3; make it with: {remedy}")
    starts = Path(spec.argv[0])
    if starts.is_absolute() and starts.parent != Path(sys.executable).parent:
        return fix(f"the kernel python3 starts another Python, {starts}; mend it with: {remedy}")
    return ok("python3 starts this Python")


def check_widgets() -> Finding:
    if find_spec("ipywidgets") is None or find_spec("jupyterlab_widgets") is None:
        return note(f"not installed; figures stay still without them; {INSTALL}")
    ours, labs = version("ipywidgets"), version("jupyterlab_widgets")
    if not (ours.startswith("8.") and labs.startswith("3.")):
        return fix(f"ipywidgets {ours} and jupyterlab_widgets {labs} do not fit: {INSTALL}")
    from jupyter_core.paths import jupyter_path

    folders = jupyter_path("labextensions", "@jupyter-widgets", "jupyterlab-manager")
    if not any(Path(folder).is_dir() for folder in folders):
        return fix(f"JupyterLab does not see its widget extension; install it again: {INSTALL}")
    return ok(f"ipywidgets {ours} with jupyterlab_widgets {labs}")


def check_d2l() -> Finding:
    from minibert.course.learn import d2l as peers

    try:
        peers.d2l()
    except Exception as error:
        return note(f"{_reason(error)} (some cells compare with it)")
    return ok(f"{version('d2l')}, imported beside the current versions")


def check_versions() -> Finding:
    """Compare what is installed with constraints.txt, where both it and ``packaging`` are."""
    if not (REPOSITORY / "constraints.txt").is_file() or find_spec("packaging") is None:
        return note("not compared: this takes the repository and the chapters' packages")
    from packaging.requirements import Requirement

    lines = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    installed, others = 0, []
    for pin in pins:
        if pin.marker is None or pin.marker.evaluate():
            with suppress(PackageNotFoundError):
                found = version(pin.name)
                installed += 1
                if not pin.specifier.contains(found, prereleases=True):
                    tested = str(pin.specifier).lstrip("=")
                    others.append(f"{pin.name} {found} (tested: {tested})")
    if others:
        shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        return note(f"{len(others)} of {installed} differ from the tested ones: {shown}")
    return ok(f"{installed} packages, each as tested (constraints.txt)")


def check_data() -> Finding:
    """Real data sets are optional; the folder that ``MINIBERT_DATA`` names is looked at."""
    named = os.environ.get("MINIBERT_DATA")
    if not named:
        return ok("generated; set MINIBERT_DATA to a folder of real data sets if you have one")
    folder = Path(named).expanduser()
    if not folder.is_dir():
        return note(f"MINIBERT_DATA is {named}, which is no folder: mend or unset it")
    files = [path for path in folder.rglob("*") if path.is_file()]
    if not files:
        return note(f"MINIBERT_DATA is {named}, which is empty: put data there or unset it")
    size = sum(path.stat().st_size for path in files) / GB
    count = f"{len(files)} file{'s' * (len(files) != 1)}"
    return ok(f"generated, and {count} ({size:.2f} GB) in MINIBERT_DATA={named}")


def check_weights() -> Finding:
    """Published weights are optional; which of them are here, by their files alone."""
    from minibert.data.published import here, published

    missing = [name for name, weights in published().items() if here(weights) is None]
    present = ", ".join(name for name in published() if name not in missing) or "none is here"
    if not missing:
        return ok(f"all are here: {present}")
    return ok(f"{present} (optional: `minibert data get {' '.join(missing)}` fetches the others)")


def check_folder() -> Finding:
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"minibert")
    except OSError as error:
        keep = "your progress is kept there, so set MINIBERT_HOME to a folder of your own"
        return fix(f"{folder} cannot be written to ({error.strerror}); {keep}")
    return ok(f"{folder} keeps your progress (MINIBERT_HOME moves it)")


def check_disk() -> Finding:
    folder = home()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < LEAST_DISK:
        return note(f"{free / GB:.2f} GB free at {existing}: checkpoints and data may need 1 GB")
    return ok(f"{free / GB:.0f} GB free at {existing}")


CHECKS = {
    "Python": check_python, "torch": check_torch, "device": check_device, "memory": check_memory,
    "cores": check_cores, "Jupyter": check_jupyter, "kernel": check_kernel,
    "widgets": check_widgets, "d2l": check_d2l, "versions": check_versions, "data": check_data,
    "weights": check_weights, "your folder": check_folder, "disk": check_disk,
}  # fmt: skip


def examine() -> Iterator[tuple[str, Finding]]:
    """Yield (name, Finding) for every check; one that fails by itself is reported, not raised."""
    for name, check in CHECKS.items():
        try:
            yield name, check()
        except ModuleNotFoundError as error:
            yield name, note(f"not looked at: this takes {error.name}")
        except Exception as error:
            yield name, fix(f"this check failed: {_reason(error)}")


def add_arguments(parser: ArgumentParser) -> None:
    """The command takes none."""


def run(args: Namespace | None) -> int:
    """Print a line for each check; 1 when something that minibert cannot do without is missing."""
    statuses = []
    for name, finding in examine():
        print(f"{finding.status:<5} {name:<12} {finding.text}", flush=True)
        statuses.append(finding.status)
    if "FIX" in statuses:
        print("\nMend the lines marked FIX, from the top, and run this again.")
        return 1
    print("\nAll that minibert needs is here." + " 'note' lines can wait." * ("note" in statuses))
    return 0


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _memory() -> tuple[int | None, int | None]:
    """(total, free) bytes that this process may use; None where the system does not tell."""
    total = free = None
    if find_spec("psutil") is not None:
        import psutil

        memory = psutil.virtual_memory()
        total, free = memory.total, memory.available
    elif "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:  # a container, such as Binder's, may have less than its machine
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):
        return total, free
    left = limit - used
    return min(limit, total or limit), left if free is None else min(left, free)
