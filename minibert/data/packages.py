"""pip, run as a program of its own by the Python that runs here."""

import subprocess
import sys


def pip(*arguments: object) -> None:
    """Run pip with these arguments. Raises RuntimeError with the last line of what it said."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        raise RuntimeError(f"pip {arguments[0]} failed: {errors[-1]}")
