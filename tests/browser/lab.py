"""A real JupyterLab in a real Chromium: what the browser test and `look.py` drive."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage""".split()
SETTINGS = {  # every cell is drawn at once; nothing is fetched, asked or saved meanwhile
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
STATUS = """() => {
    const context = window.jupyterapp.shell.currentWidget?.sessionContext;
    return context?.isReady ? context.session?.kernel?.status : 'starting';
}"""
EXTENT = """panel => {  // down to the end of the last cell, and what one screen holds
    const last = [...panel.querySelectorAll('.jp-Cell')].at(-1).getBoundingClientRect();
    return [last.bottom - panel.getBoundingClientRect().top + panel.scrollTop, panel.clientHeight];
}"""
ERRORS = """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells
    .flatMap(cell => cell.outputs ?? []).filter(output => output.output_type === 'error')
    .map(output => `${output.ename}: ${output.evalue}`)"""
PANEL = ".jp-NotebookPanel-notebook .jp-WindowedPanel-outer"


def missing():
    """Why no browser can be driven here, or None."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "the Python package playwright is not installed"
    return None if chromium() else "no Chromium on the PATH (apt-get install chromium)"


def chromium():
    """The path of Chromium or Chrome, or None; ``MINIBERT_CHROMIUM`` overrides."""
    names = ("chromium", "chromium-browser", "google-chrome")
    named = os.environ.get("MINIBERT_CHROMIUM")
    return named or next(filter(None, map(shutil.which, names)), None)


@contextlib.contextmanager
def server(folder, **environment):
    """JupyterLab on a free port of this machine, in a temporary copy of ``folder``; gives its URL.

    It has settings, workspaces, kernels and a learner's folder of its own. Further keywords are
    environment variables.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        home, token, port = Path(temporary), secrets.token_hex(16), free_port()
        shutil.copytree(folder, home / "chapters")
        write_settings(home / "settings")
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
            + ["--ip=127.0.0.1", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
            + [f"--ServerApp.root_dir={home / 'chapters'}", "--expose-app-in-browser"],
            cwd=home / "chapters",
            env=own_environment(home) | environment,
            stdout=subprocess.DEVNULL,
            stderr=(home / "log").open("w"),
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_up(f"{url}/api/status?token={token}", process, home / "log")
            yield url, token
        finally:
            process.terminate()
            process.wait(30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_settings(folder):
    for name, values in SETTINGS.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


def own_environment(home):
    names = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    names |= {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "MINIBERT_HOME": "learner",
    }
    folders = {name: str(home / folder) for name, folder in names.items()}
    return {**os.environ, **folders, "PYTHONPATH": str(REPOSITORY), "JUPYTER_PREFER_ENV_PATH": "1"}


def wait_until_up(url, process, log, seconds=90):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.3)
    raise RuntimeError(f"JupyterLab was not up after {seconds} s:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def page(width=1280, height=1000):
    """A Chromium page; ``page.console`` collects what went wrong in it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        opened = browser.new_page(viewport={"width": width, "height": height})
        opened.console = []
        opened.on("pageerror", lambda error: opened.console.append(str(error)))
        try:
            yield opened
        finally:
            browser.close()


def open_notebook(opened, url, token, name, seconds=120):
    """Open one notebook alone in the window, and wait for its kernel."""
    opened.goto(f"{url}/doc/tree/{name}?token={token}&reset", timeout=seconds * 1000)
    opened.wait_for_selector(".jp-Notebook .jp-Cell", timeout=seconds * 1000)
    opened.wait_for_function("() => window.jupyterapp", timeout=seconds * 1000)
    wait_idle(opened, seconds)


def run_all(opened, seconds=600):
    """Run all cells and wait until the kernel is idle and the outputs are drawn."""
    opened.set_default_timeout(seconds * 1000)
    opened.evaluate(RUN_ALL)
    wait_idle(opened, seconds)
    opened.wait_for_timeout(1500)


def wait_idle(opened, seconds):
    """Wait for an idle kernel; RuntimeError says what the page shows instead."""
    from playwright.sync_api import TimeoutError as TooLong

    try:
        opened.wait_for_function(f"() => ({STATUS})() === 'idle'", timeout=seconds * 1000)
    except TooLong as error:
        asked = " ".join(opened.locator(".jp-Dialog").all_inner_texts()) or "no dialog is open"
        status = opened.evaluate(f"() => ({STATUS})()")
        message = f"The kernel is {status}, not idle, after {seconds} s ({asked})."
        raise RuntimeError(message) from error


def errors(opened):
    """Every error output of the notebook; the page draws them as it draws all of stderr."""
    return opened.evaluate(ERRORS)


def slices(opened, folder, overlap=60):
    """Screenshots of the whole notebook, from top to bottom; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    panel = opened.locator(PANEL)
    total, step = panel.evaluate(EXTENT)
    paths, top = [], 0
    while True:
        panel.evaluate("(p, top) => p.scrollTo(0, top)", top)
        opened.wait_for_timeout(250)
        paths.append(folder / f"{len(paths):02d}.png")
        panel.screenshot(path=paths[-1])
        if top + step >= total:
            return paths
        top += step - overlap
