"""The kernel that a submission runs in: a Python of its own, in an empty folder, fenced off.

It is told nothing of the course: no path, no seed, no result. Its environment is built from
nothing, and its home is a new folder. Neither the current folder nor the user's own packages are on
Python's path: no file beside a notebook can stand in for a module. Where the system has Landlock,
the kernel reads Python and minibert alone (`minibert.course.teach.fence`).
"""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]
SYSTEM = ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/opt/rocm", "/nix", "/sys"]
SYSTEM += ["/proc/" + name for name in "self cpuinfo meminfo stat version filesystems sys".split()]
KEPT = set(
    "PATH LANG LANGUAGE TZ LD_LIBRARY_PATH DYLD_LIBRARY_PATH SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC "
    "PATHEXT NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE MINIBERT_EXERCISES".split()
)
FAMILIES = ("LC_", "CUDA_", "NVIDIA_", "ATEN_", "MKL_", "OPENBLAS_", "OMP_")
START = (
    "import sys; root = {root!r}; root in sys.path or sys.path.insert(0, root); "
    "from minibert.course.teach.kernel import main; main()"
)


@dataclass(frozen=True)
class Place:
    """Where a submission runs: ``folder`` is its own; ``variables`` are what it is to know."""

    folder: Path
    variables: dict = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """The current folder of the kernel."""
        return self.folder / "work"

    def environment(self) -> dict:
        """The kernel's environment: a little of ours, folders of its own, ``variables``."""
        kept = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith(FAMILIES)}
        home = {name: str(self.folder / "home") for name in ("HOME", "USERPROFILE", "APPDATA")}
        home |= {name: str(self.folder / "tmp") for name in ("TMPDIR", "TEMP", "TMP")}
        home |= {"MINIBERT_HOME": str(self.folder / "home" / "minibert")}
        home |= {"MPLCONFIGDIR": str(self.folder / "home" / "matplotlib")}
        safe = {"PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1", "PYTHONHASHSEED": "0"}
        return kept | home | safe | {"NBGRADER_EXECUTION": "autograde"} | self.variables

    def command(self) -> list:
        """What starts the kernel; Jupyter puts its connection file in."""
        code = START.format(root=str(PACKAGE.parent))
        return [sys.executable, "-P", "-s", "-c", code, str(self.folder), "{connection_file}"]


def main() -> None:
    """Close the fence and run a kernel; the arguments are its folder and its connection file."""
    from minibert.course.learn import answering
    from minibert.course.teach import fence

    folder, connection, *more = sys.argv[1:]
    told = json.loads(Path(connection).read_text("utf-8"))
    python = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(sys.executable)}
    python |= {os.path.dirname(os.path.realpath(sys.executable)), *map(os.path.abspath, sys.path)}
    root, grader = str(PACKAGE.parent), os.environ.get(answering.GRADER, "0")
    data = [os.environ[k] for k in ("MINIBERT_EXERCISES", "MINIBERT_DATA") if k in os.environ]
    try:
        fence.close(
            readable=[*SYSTEM, *(python - {root}), str(PACKAGE), *data],
            writable=[folder, "/dev"],
            listed=[root],
            ports=(
                {v for k, v in told.items() if k.endswith("_port")},
                {int(grader.split(":")[0])},
            ),
        )
    except OSError as error:  # a container may forbid it
        print(f"No fence: {error}", file=sys.stderr)
    sys.path_importer_cache.clear()
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(["-f", connection, "--InteractiveShellApp.ignore_cwd=True", *more])
