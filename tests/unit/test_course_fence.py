"""The fence around a submission: what is not named cannot be read, written, called or signalled."""

import socket
import subprocess
import sys

import pytest

from minibert.course.teach import fence
from minibert.course.teach.kernel import Place

SCRIPT = """
import os, socket, sys
from minibert.course.teach import fence
mine, other, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
listener = socket.create_server(("127.0.0.1", 0))
assert fence.close(["/usr", "/lib", sys.prefix, sys.base_prefix], [mine], [other], ((), (port,)))
def tried(action):
    try:
        action()
        return "done"
    except OSError as error:
        return type(error).__name__
print(
    tried(lambda: open(mine + "/new", "w").close()),
    tried(lambda: open(other + "/secret").read()),
    tried(lambda: open(other + "/new", "w")),
    tried(lambda: os.remove(other + "/secret")),
    tried(lambda: os.listdir(other)),
    tried(lambda: open(f"/proc/{os.getppid()}/environ").read()),
    tried(lambda: os.system("cat " + other + "/secret") and open("/nowhere")),
    tried(lambda: socket.create_connection(("127.0.0.1", port)).close()),
    tried(lambda: socket.create_connection(listener.getsockname())),
    tried(lambda: os.kill(os.getppid(), 0)),
)
"""
needs_landlock = pytest.mark.skipif(not fence.version(), reason="this system has no Landlock")


@needs_landlock
def test_what_is_not_named_is_out_of_reach_for_good(tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir(), other.mkdir()
    (other / "secret").write_text("the marks")
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-c", SCRIPT, mine, other, server.getsockname()[1]]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "the marks" not in done.stdout
    denied, told = "PermissionError", done.stdout.split()
    assert told[:7] == ["done", denied, denied, denied, "done", denied, "FileNotFoundError"]
    assert told[7:9] == ["done", denied if fence.version() >= 4 else "done"]
    assert told[9] == (denied if fence.version() >= 6 else "done")
    assert (other / "secret").read_text() == "the marks"


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_have_no_fence(monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    assert fence.version() == 0 and fence.close([], []) is False


def test_a_kernel_is_told_nothing_of_ours(tmp_path, monkeypatch):
    ours = {"MINIBERT_HIDDEN_SEED": "s", "PYTHONPATH": "/x", "MINIBERT_DATA": "/y", "API_KEY": "k"}
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    place = Place(tmp_path, {"MINIBERT_SMOKE": "1"})
    told = place.environment()
    assert not set(ours) & set(told) and told["MINIBERT_SMOKE"] == "1"
    assert {told[name] for name in ("HOME", "TMPDIR")} == {
        str(tmp_path / x) for x in ("home", "tmp")
    }
    assert place.command()[1:3] == ["-P", "-s"] and told["PYTHONSAFEPATH"] == "1"
