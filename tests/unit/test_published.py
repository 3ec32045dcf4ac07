"""Published weights: found, fetched from a server on this machine or out of a made package."""

import hashlib
import json
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import minibert as mb
from minibert.commands.doctor import check_weights
from minibert.commands.main import main
from minibert.course.teach import bundle as bundling
from minibert.data import catalogue, fetch, packages, published
from minibert.data.registry import File
from minibert.text.wordpiece import WordPiece

METADATA = b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
PARTS = {"config.json": b"{}", "model.bin": bytes(range(256)) * 400}


class Hub(BaseHTTPRequestHandler):
    """/FILE from ``server.files``; breaks off, or alters, as ``server.case`` says."""

    def do_GET(self):
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        name = self.path.strip("/")
        self.server.seen.append((name, start))
        body, case = self.server.files.get(name), self.server.case
        if body is None or case == "down":
            self.send_error(503 if case == "down" else 404)
            return
        if case == "corrupt" and name == "model.bin":
            body = body[:-1] + b"?"
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        half = case == "breaks" and not start and len(body) > 10
        self.wfile.write(body[start:][: len(body) // 2 if half else None])

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MINIBERT_DATA", raising=False)
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    monkeypatch.setattr(fetch, "TIMEOUT", 0.5)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files, server.seen, server.case = dict(PARTS), [], "good"
    server.url = f"http://127.0.0.1:{server.server_address[1]}/"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def register(monkeypatch):
    """A function that makes `tiny` the only published weights: of these files, at this address."""

    def make(parts=PARTS, address="", model="BERT"):
        files = tuple(
            File(f"tiny/{name}", hashlib.sha256(data).hexdigest(), len(data),
                 (address + name,) if address else ())
            for name, data in parts.items()
        )  # fmt: skip
        weights = published.Weights(
            "tiny", "a model", "none", "test", model, "tiny-weights==1.0", "tiny_weights/in", files
        )  # fmt: skip
        monkeypatch.setattr(published, "published", lambda: {"tiny": weights})
        monkeypatch.setattr(bundling, "published", lambda: {"tiny": weights})
        return weights

    return make


@pytest.fixture
def index(monkeypatch):
    """What `pip download` would do, without pip: a list of wheels' members, or why it fails."""
    asked = []

    def pip(*arguments):
        asked.append([str(argument) for argument in arguments])
        if isinstance(asked.members, str):
            raise RuntimeError(asked.members)
        folder = arguments[arguments.index("--dest") + 1]
        with zipfile.ZipFile(f"{folder}/tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
            for name, data in asked.members.items():
                wheel.writestr(name, data)

    class Asked(list):
        members = "pip download failed: ERROR: No matching distribution found"

    asked = Asked()
    monkeypatch.setattr(published, "pip", pip)
    return asked


def carried(parts=PARTS):
    code = {"tiny_weights/__init__.py": b"raise SystemExit('this must never run')"}
    return {**code, **{f"tiny_weights/in/{name}": data for name, data in parts.items()}}


def held(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def cached(tmp_path):
    return [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


# Fetching


def test_the_hub_comes_first_and_is_asked_once(hub, register, index, tmp_path):
    register(address=hub.url)
    folder = published.get("tiny", tell=lambda line: None)
    assert folder == tmp_path / "home" / "data" / "tiny" and held(folder) == PARTS
    assert hub.seen == [("config.json", 0), ("model.bin", 0)] and index == []
    published.get("tiny")
    assert catalogue.get("tiny") == folder and len(hub.seen) == 2


def test_a_broken_download_goes_on_where_it_broke(hub, register, index):
    register(address=hub.url)
    hub.case = "breaks"
    assert held(published.get("tiny", tell=lambda line: None)) == PARTS
    assert hub.seen[-1] == ("model.bin", len(PARTS["model.bin"]) // 2) and index == []


@pytest.mark.parametrize("case", ["corrupt", "down", "nobody"])
def test_out_of_the_package_where_the_hub_fails(hub, register, index, case, capsys):
    register(address="http://127.0.0.1:9/" if case == "nobody" else hub.url)
    hub.case, index.members = case, carried()
    assert held(published.get("tiny")) == PARTS
    assert index[0][:4] == ["download", "--no-deps", "--only-binary", ":all:"]
    assert index[0][-1] == "tiny-weights==1.0" and len(index) == 1
    assert "out of the package tiny-weights==1.0 ..." in capsys.readouterr().out


def test_nothing_of_the_package_but_the_files_is_kept_or_run(
    register, index, tmp_path, monkeypatch
):
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))
    register()
    index.members = {**carried(), "tiny_weights/in/more.bin": b"x", "config.json": b"another"}
    folder = published.get("tiny", tell=lambda line: None)
    assert held(folder) == PARTS and len(cached(tmp_path)) == 2
    assert not [name for name in sys.modules if name.startswith("tiny_weights")]


@pytest.mark.parametrize(
    "members, message",
    [
        (carried({**PARTS, "model.bin": b"?"}), "holds model.bin with the wrong SHA-256"),
        (carried({"config.json": b"{}"}), "does not hold tiny_weights/in/model.bin"),
        ({"../tiny_weights/in/config.json": b"{}"}, "points outside of it"),
        ({"/tiny_weights/in/config.json": b"{}"}, "points outside of it"),
        ("pip download failed: ERROR: Could not find", "ERROR: Could not find"),
        ("pip download failed: python: No module named pip", "No module named pip"),
    ],
)
def test_a_package_that_is_wrong_or_not_to_be_had(
    register, index, tmp_path, monkeypatch, members, message
):
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))
    register()
    index.members = members
    with pytest.raises(FileNotFoundError, match=message) as caught:
        published.get("tiny", tell=lambda line: None)
    told = str(caught.value)
    assert "\n" not in told and "`minibert data get tiny` fetches them" in told
    assert "put config.json, model.bin into" in told and str(tmp_path / "home") in told
    assert not any(path.name == "model.bin" for path in cached(tmp_path))
    assert published.here(published.published()["tiny"]) is None


def test_pip_itself_downloads_a_wheel_and_builds_nothing(tmp_path, monkeypatch, register):
    """A folder of files in place of an index; beside it a source package that must not be run."""
    index = tmp_path / "index"
    index.mkdir()
    members = {
        **carried(),
        "tiny_weights-1.0.dist-info/METADATA": METADATA,
        "tiny_weights-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
        "tiny_weights-1.0.dist-info/RECORD": b"",
    }  # fmt: skip
    with zipfile.ZipFile(index / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        for name, data in members.items():
            wheel.writestr(name, data)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))
    register()
    assert held(published.get("tiny", tell=lambda line: None)) == PARTS
    source = index / "other-1.0.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("other-1.0/setup.py", f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(RuntimeError, match="pip download failed: ERROR"):
        packages.pip(*published.PIP, "--dest", tmp_path, "other==1.0")
    assert not (tmp_path / "ran").exists()


# Finding and reading


def test_the_data_folder_is_looked_at_first(hub, register, index, tmp_path, monkeypatch):
    register(address=hub.url)
    monkeypatch.setenv("MINIBERT_DATA", str(tmp_path))
    (tmp_path / "tiny").mkdir()
    for name, data in PARTS.items():
        (tmp_path / "tiny" / name).write_bytes(data)
    assert published.get("tiny") == tmp_path / "tiny" and hub.seen == []


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_file_is_named_and_fetched_again_once_it_is_gone(hub, register, index, damage):
    register(address=hub.url)
    path = published.get("tiny", tell=lambda line: None) / "model.bin"
    data = PARTS["model.bin"]
    path.write_bytes(data[:-1] if damage == "cut" else data[:-1] + b"?")
    for read in (lambda: published.get("tiny"), lambda: mb.BERT.from_pretrained("tiny")):
        with pytest.raises(
            ValueError, match=r"model\.bin is damaged or another edition.*delete or"
        ):
            read()
    path.unlink()
    assert held(published.get("tiny", tell=lambda line: None)) == PARTS
    assert [name for name, _ in hub.seen] == ["config.json", "model.bin", "model.bin"]


def test_a_model_is_read_by_its_published_name(register, tmp_path, monkeypatch, index):
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))
    sizes = {"dim": 8, "layers": 1, "heads": 1, "hidden": 16, "max_length": 6}
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    model = mb.BERT(mb.BERTConfig(6, **sizes), WordPiece(pieces))
    model.save_pretrained(tmp_path / "made")
    parts = held(tmp_path / "made")
    register(parts)
    index.members = carried(parts)
    with pytest.raises(FileNotFoundError) as caught:
        mb.BERT.from_pretrained("tiny")
    told = str(caught.value)
    assert "`minibert data get tiny` fetches" in told and "\n" not in told and index == []
    assert main(["data", "get", "tiny"]) == 0
    read = mb.BERT.from_pretrained("tiny")
    assert read.tokenizer.tokens == pieces
    assert (read.embeddings.word.weight == model.embeddings.word.weight).all()
    with pytest.raises(ValueError, match=r"mb.GPT cannot read 'tiny' \(a model\): use mb.BERT"):
        mb.GPT.from_pretrained("tiny")
    with pytest.raises(ValueError, match="mb.Word2Vec cannot read 'tiny'"):
        mb.Word2Vec.from_pretrained("tiny")
    register(parts, model="")
    with pytest.raises(ValueError, match="no class reads them so far; mb.data.get"):
        mb.GPT.from_pretrained("tiny")
    monkeypatch.chdir(tmp_path / "made")
    (tmp_path / "made" / "tiny").mkdir()  # a folder of that name here is meant
    with pytest.raises(FileNotFoundError, match="config.json"):
        mb.BERT.from_pretrained("tiny")


def test_vectors_are_read_from_an_array_and_a_parquet_index(register, tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    words, vectors = ["the", "cat", "don't"], np.arange(6, dtype=np.float32).reshape(3, 2)
    folder = tmp_path / "glove"
    folder.mkdir()
    np.save(folder / "glove_6B_50d_emb.npy", vectors)
    parquet.write_table(pyarrow.table({"index": words}), folder / "glove_6B_index.parquet")
    model = mb.Word2Vec.from_pretrained(folder)
    assert model.vocab.tokens == words and np.array_equal(model.vectors.numpy(), vectors)
    assert mb.Word2Vec.from_pretrained(folder, limit=2).vocab.tokens == words[:2]
    parquet.write_table(pyarrow.table({"index": words[:2]}), folder / "glove_6B_index.parquet")
    with pytest.raises(ValueError, match=r"2 words and vectors of shape \(3, 2\)"):
        mb.Word2Vec.from_pretrained(folder)
    np.save(folder / "glove_6B_50d_emb.npy", np.array(["x", None], object))
    with pytest.raises(ValueError, match="holds no words and vectors of GloVe: "):
        mb.Word2Vec.from_pretrained(folder)


def test_without_pyarrow_the_line_says_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "glove_6B_50d_emb.npy").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match="which pyarrow reads: pip install .*weights"):
        mb.Word2Vec.from_pretrained(tmp_path)


def test_the_limit_is_for_vectors_not_for_models(tmp_path):
    model = mb.Word2Vec(mb.Word2VecConfig(2, 2), mb.text.Vocab(["a", "b"], specials=()))
    model.save_pretrained(tmp_path / "model")
    with pytest.raises(ValueError, match="limit is for files of vectors"):
        mb.Word2Vec.from_pretrained(tmp_path / "model", limit=1)


# The commands


def test_the_list_says_where_to_put_what_is_local_only(register, monkeypatch, tmp_path, capsys):
    register()
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MINIBERT_DATA", raising=False)
    assert main(["data", "list"]) == 0
    told = capsys.readouterr().out
    assert "MINIBERT_DATA is not set. Let it name a folder of yours" in told
    assert "books_train            $MINIBERT_DATA/books_train.txt.xz" in told.replace("\\", "/")
    assert str(tmp_path / "home" / "data") in told and "tiny  " in told
    assert "a model [none]" in told
    monkeypatch.setenv("MINIBERT_DATA", str(tmp_path))
    assert main(["data", "list"]) == 0
    told = capsys.readouterr().out
    assert f"{tmp_path} (MINIBERT_DATA) is looked into first." in told
    assert str(tmp_path / "books_train.txt.xz") in told and str(tmp_path / "tokenizers") in told


def test_the_command_offline_is_one_line(register, index, monkeypatch, tmp_path, capsys):
    register(address="http://127.0.0.1:9/")
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    assert main(["data", "get", "tiny"]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "could not be fetched" in told and "refused" in told
    assert main(["data", "get", "tinny"]) == 1
    assert "did you mean tiny" in capsys.readouterr().err
    with pytest.raises(ValueError, match="'tiny' are weights, not a data set: mb.data.get"):
        mb.data.load("tiny")


def test_the_doctor_says_which_are_here(hub, register, index):
    register(address=hub.url)
    assert (
        check_weights().text
        == "none is here (optional: `minibert data get tiny` fetches the others)"
    )
    published.get("tiny", tell=lambda line: None)
    assert check_weights() == ("ok", "all are here: tiny")


def test_the_bundle_takes_them_along(hub, register, index, tmp_path):
    register(address=hub.url)
    told = list(bundling.copy_weights(tmp_path / "out" / "weights"))
    assert held(tmp_path / "out" / "weights" / "tiny") == PARTS and told == ["tiny: 0 MB"]
    own = tmp_path / "minibert.whl"
    everything = list(bundling.downloads(own, None, [], "", weights=True))[1]
    assert everything[-1].startswith("minibert[lab,weights] @ ")
    bundling.write_scripts(tmp_path / "out", None, [])
    script = (tmp_path / "out" / "install.sh").read_text()
    start, end = script.index("extras=lab"), script.index("pip=")
    done = subprocess.run(
        ["sh", "-euc", script[start:end] + "echo $extras"], cwd=tmp_path / "out",
        env={"MINIBERT_HOME": str(tmp_path / "new home"), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "lab,weights\n", done.stderr
    assert held(tmp_path / "new home" / "data" / "tiny") == PARTS


def test_the_table_is_complete():
    for name, weights in published.published().items():
        assert weights.name == name and weights.about and weights.licence and weights.source
        assert "==" in weights.package and weights.inside and weights.files
        for file in weights.files:
            assert len(file.sha256) == 64 and file.size > 0 and file.path == f"{name}/{file.name}"
            assert all(url.startswith("https://huggingface.co/") for url in file.urls)
    known = {f.name: f.sha256[:8] for w in published.published().values() for f in w.files}
    wanted = {"model.safetensors": "53aa5117", "glove_6B_50d_emb.npy": "2d85b9db"}
    wanted |= {"SmolLM2-135M-Instruct.Q4_1.gguf": "b179c952", "glove_6B_index.parquet": "02fd68e3"}
    assert wanted.items() <= known.items()
    assert json.dumps(sorted(published.published())).count(",") == 2
