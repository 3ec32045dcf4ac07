"""What every benchmark writes down: the machine, the versions, the table in the README."""

import json
import os
import platform
import re
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
README = HERE / "README.md"


def machine(*packages):
    """The machine, its load when the benchmark began, and versions, as a dict."""
    model = ""
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        model = found[1] if found else ""
    return {
        "cpu": model or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "load": load(),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "date": time.strftime("%Y-%m-%d"),
    }


def load():
    """Processes that ran or waited in the last minute, on average; None where that is unknown."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def save(name, results):
    """Write ``results/NAME.json``."""
    path = HERE / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def put_into_readme(name, table):
    """Replace what stands between the marks of ``name`` in the README."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = README.read_text("utf-8")
    before, rest = text.split(begin)
    _, after = rest.split(end)
    README.write_text(f"{before}{begin}\n{table}\n{end}{after}", "utf-8")
