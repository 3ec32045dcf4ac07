"""Several kernels at once: they share the cache and the progress file, and none harms another.

The generated world and vocabularies learned in a notebook lie in no cache: each process makes its
own, and makes the same. What is shared are downloads, the progress file, and files that are saved.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from minibert.data.fetch import cached
from minibert.data.registry import Entry, File
from minibert.text import Vocab

BODY = b"= One =\nA paragraph.\n" * 40_000
SHA = hashlib.sha256(BODY).hexdigest()

BEGIN = """
import json, os, pathlib, sys, time
home, number, url = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.environ["MINIBERT_HOME"] = str(home)
import minibert as mb
def together():  # all processes go on at the same moment
    (home / f"ready-{number}").touch()
    while len(list(home.glob("ready-*"))) < int(sys.argv[4]):
        time.sleep(0.001)
"""
DOWNLOAD = """
import hashlib
from minibert.data import fetch
from minibert.data.registry import Entry, File
file = File("text.txt", sys.argv[5], int(sys.argv[6]), (url + "cut", url + "whole"))
fetch.PAUSE = 0.01
together()
found = []
for _ in range(3):
    path = fetch.download(Entry("small", "", "", "", ()), file, tell=lambda line: None)
    found.append(hashlib.sha256(path.read_bytes()).hexdigest())
print(json.dumps(found))
"""
WORLD = """
import hashlib
together()
texts = [d.text for d in mb.world.generate(tokens=3000, seed=5).documents]
vocab = mb.text.Vocab.train(texts)
wrong = []
for _ in range(20):  # written over and over while others read it
    vocab.save(home / "vocab.tsv")
    wrong += [] if mb.text.Vocab.load(home / "vocab.tsv").tokens == vocab.tokens else ["another"]
print(json.dumps([hashlib.sha256("".join(texts).encode()).hexdigest(), wrong]))
"""
PROGRESS = """
from minibert.course.learn import progress_file as record
from minibert.course.learn.checking import Outcome
together()
for i in range(15):
    record.remember(Outcome(f"0{number}.x{i}", "right", "", 1, 1, 0.0))
print(json.dumps("done"))
"""


class Slow(BaseHTTPRequestHandler):
    """Sends the file in pieces, so that downloads overlap; or only half of it."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        end = len(BODY) // 2 if self.path == "/cut" else len(BODY)
        for start in range(0, end, 100_000):
            self.wfile.write(BODY[start : min(end, start + 100_000)])
            time.sleep(0.01)

    def log_message(self, *args):
        pass


@pytest.fixture
def url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def at_once(code, home, processes, url="none", *more):
    """What each of several processes prints that run the code at the same moment."""
    home.mkdir(exist_ok=True)
    started = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                BEGIN + code,
                str(home),
                str(number),
                url,
                str(processes),
                *more,
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MINIBERT_DATA": ""},
        )
        for number in range(processes)
    ]
    said = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0] * processes
    return [json.loads(text) for text in said]


def downloads(tmp_path, monkeypatch, url, processes):
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))
    told = at_once(DOWNLOAD, tmp_path / "home", processes, url, SHA, str(len(BODY)))
    assert told == [[SHA] * 3] * processes
    path = cached(Entry("small", "", "", "", ()), File("text.txt", SHA, len(BODY)))
    assert path.read_bytes() == BODY and list(path.parent.iterdir()) == [path]


def test_two_kernels_download_the_same_file(tmp_path, monkeypatch, url):
    downloads(tmp_path, monkeypatch, url, 2)


@pytest.mark.slow
def test_four_kernels_download_the_same_file(tmp_path, monkeypatch, url):
    downloads(tmp_path, monkeypatch, url, 4)


def test_two_kernels_make_the_same_world_and_write_the_same_vocabulary(tmp_path):
    (first, wrong), (second, also) = at_once(WORLD, tmp_path / "home", 2)
    assert first == second and wrong == also == []
    assert len(Vocab.load(tmp_path / "home" / "vocab.tsv")) > 100
    assert not list((tmp_path / "home").glob("*.part"))


def test_two_kernels_keep_the_progress_of_both(tmp_path):
    at_once(PROGRESS, tmp_path / "home", 2)
    content = json.loads((tmp_path / "home" / "progress.json").read_text("utf-8"))
    assert sorted(content["exercises"]) == sorted(f"0{n}.x{i}" for n in range(2) for i in range(15))
