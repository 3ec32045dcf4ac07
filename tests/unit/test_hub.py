"""Models from the Hugging Face hub: a hub on this machine, and none."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import safetensors.torch
import torch

import minibert as mb
from minibert.storage import hub
from minibert.text import BPE, WordPiece

pytestmark = pytest.mark.long

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
TINY = {"dim": 8, "layers": 1, "heads": 1, "hidden": 32, "max_length": 6}
READ = """
import sys, torch, minibert as mb
model = getattr(mb, sys.argv[1]).from_pretrained(sys.argv[2])
print("read", float(model.embeddings.word.weight.sum()), model.tokenizer)
"""


class Hub(BaseHTTPRequestHandler):
    """/OWNER/NAME/resolve/main/FILE from ``server.folder``."""

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, whole):
        repo, _, name = self.path.lstrip("/").partition("/resolve/main/")
        path = self.server.folder / repo / name
        self.server.seen.append(name)
        if not name or not path.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if name else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = path.read_bytes()
        self.send_response(200)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{len(data)}-{name}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if whole:
            self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.folder, server.seen = tmp_path / "hub", []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()  # a second time does nothing
    server.server_close()


def read(kind, name, server, home, offline="0"):
    """What another Python with an empty cache says."""
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    env = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": offline}
    env |= {"NO_PROXY": "*", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", READ, kind, name],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
    )


def bert(folder):
    tokenizer = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"])
    model = mb.BERT(mb.BERTConfig(6, **TINY), tokenizer)
    model.save_pretrained(folder)
    return model


def gpt(folder):
    tokenizer = BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")])
    model = mb.GPT(mb.GPTConfig(3, **TINY), tokenizer)
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize(("kind", "make"), [("BERT", bert), ("GPT", gpt)])
def test_a_model_is_fetched_once_and_then_read_without_network(kind, make, server, tmp_path):
    torch.manual_seed(0)
    model = make(server.folder / "someone" / "tiny")
    total = float(model.embeddings.word.weight.detach().sum())
    for offline in ("0", "1"):
        done = read(kind, "someone/tiny", server, tmp_path / "home", offline)
        assert done.stdout.startswith(f"read {total}"), done.stderr
        assert type(model.tokenizer).__name__ in done.stdout
    assert "model.safetensors" in server.seen and "pytorch_model.bin" not in server.seen


def test_an_old_model_has_a_pickle(server, tmp_path):
    model, folder = bert(server.folder / "someone" / "old"), server.folder / "someone" / "old"
    (folder / "model.safetensors").unlink()
    published = {mb.models.bert.files.published(model, n): t for n, t in model.state_dict().items()}
    torch.save(published, folder / "pytorch_model.bin")
    assert "read" in read("BERT", "someone/old", server, tmp_path / "home").stdout


@pytest.mark.parametrize("offline", ["0", "1"])
def test_what_cannot_be_fetched_is_one_line_with_the_files(server, tmp_path, offline):
    (server.folder / "someone").mkdir(parents=True)
    done = read("BERT", "someone/missing", server, tmp_path / "home", offline)
    last = done.stderr.strip().split("\n")[-1]
    assert "no file, folder or bundled checkpoint called 'someone/missing'" in last
    assert "nor could it be fetched from the hub" in last
    assert "put config.json, model.safetensors or pytorch_model.bin, vocab.txt" in last
    assert "https://huggingface.co/someone/missing" in last


def test_without_a_network_it_is_said_at_once_and_what_is_kept_is_read(server, tmp_path):
    bert(server.folder / "someone" / "tiny")
    home = tmp_path / "home"
    assert "read" in read("BERT", "someone/tiny", server, home).stdout
    server.shutdown()
    server.server_close()
    assert "read" in read("BERT", "someone/tiny", server, home).stdout
    done = read("BERT", "bert-base-uncased", server, home)
    assert "nor could it be fetched from the hub, which does not answer; to fetch" in done.stderr
    assert "Retrying" not in done.stderr


def test_without_the_hubs_package_the_line_says_what_to_fetch(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(FileNotFoundError, match="to fetch it by hand, put config.json, model.saf"):
        hub.find_or_fetch("bert-base-uncased", ("vocab.txt",))


def test_paths_are_never_looked_up_at_the_hub(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for source in (tmp_path / "none", "./none", "a/b/c"):
        with pytest.raises(FileNotFoundError) as error:
            hub.find_or_fetch(source)
        assert "huggingface" not in str(error.value)


def test_a_model_in_several_files_is_fetched_whole(server, tmp_path):
    folder = server.folder / "someone" / "large"
    model = bert(folder)
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {n: f"model-0000{i % 2 + 1}-of-00002.safetensors" for i, n in enumerate(tensors)}
    for file in set(places.values()):
        part = {name: tensor for name, tensor in tensors.items() if places[name] == file}
        safetensors.torch.save_file(part, folder / file)
    index = json.dumps({"metadata": {}, "weight_map": places})
    (folder / "model.safetensors.index.json").write_text(index)
    total = float(model.embeddings.word.weight.detach().sum())
    for offline in ("0", "1"):
        done = read("BERT", "someone/large", server, tmp_path / "home", offline)
        assert done.stdout.startswith(f"read {total}"), done.stderr
