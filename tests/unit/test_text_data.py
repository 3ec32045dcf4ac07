"""Real data: finding, downloading (from a server on this machine), verifying, reading."""

import contextlib
import gzip
import hashlib
import io
import lzma
import os
import random
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import minibert as mb
from minibert.commands.main import main
from minibert.data import catalogue, fetch
from minibert.data.registry import Edition, Entry, File, registry
from minibert.data.sources import Source

BODY = b"= One =\nA paragraph.\n\nAnother.\n= Two =\nA third.\n" * 2000
SHA = hashlib.sha256(BODY).hexdigest()


class Mirror(BaseHTTPRequestHandler):
    """Misbehaves as its path says."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Range")))
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        case = self.path.strip("/")
        if case in ("403", "404", "500"):
            self.send_error(int(case))
        elif case == "redirect":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
        elif case in ("loop", "elsewhere"):
            self.send_response(302)
            self.send_header("Location", "/loop" if case == "loop" else "file:///etc/hostname")
            self.end_headers()
        elif case == "wrong-range":  # half at first, then the beginning again as if it went on
            first = len(BODY) // 2 + 7
            body = BODY[: len(BODY) - first if start else first]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif case == "changes":  # another file from the half on
            other = BODY[: len(BODY) // 2] + BODY[len(BODY) // 2 :].swapcase()
            self._send(other if start else BODY, len(BODY), start, sent=start or len(BODY) // 2)
        elif case == "drip":  # a few bytes now and then, without end
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            with contextlib.suppress(OSError):
                while not self.server.release.wait(0.02):
                    self.wfile.write(b"= ")
                    self.wfile.flush()
        elif case == "empty":
            self._send(b"", 0, 0)
        elif case == "416":
            self.send_error(416 if start else 500)
        elif case == "stall":
            self._send(BODY, len(BODY), 0, sent=1000)
            self.server.release.wait(5)
        elif case == "corrupt":
            self._send(BODY[:-1] + b"?", len(BODY), start)
        elif case == "long":
            self._send(BODY * 2, 2 * len(BODY), start)
        elif case == "short":
            self._send(BODY[:5000], 5000, 0)
        elif case == "endless":
            self.send_response(200)
            self.end_headers()
            try:
                for self.server.megabytes in range(1, 65):
                    self.wfile.write(bytes(1 << 20))
            except OSError:  # hung up on
                pass
        elif case == "breaks":  # half at first, the rest when asked to go on
            self._send(BODY, len(BODY), start, sent=None if start else len(BODY) // 2)
        elif case == "breaks-no-range":
            again = sum(path == self.path for path, _ in self.server.seen) > 1
            self._send(BODY, len(BODY), 0, sent=None if again else len(BODY) // 2)
        else:
            self._send(BODY, len(BODY), start)

    def _send(self, body, length, start, sent=None):
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(length - start))
        self.end_headers()
        self.wfile.write(body[start:][:sent])
        self.wfile.flush()

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MINIBERT_DATA", raising=False)
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    monkeypatch.setattr(fetch, "TIMEOUT", 0.3)
    monkeypatch.setattr(fetch, "PATIENCE", 0.2)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.seen, server.release = [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


def entry(mirror, *cases, reader="corpus"):
    file = File("sub/text.txt", SHA, len(BODY), tuple(mirror.url + case for case in cases))
    return Entry("small", "two texts", "none", "this test", (Edition(reader, (file,)),))


def register(monkeypatch, made):
    monkeypatch.setattr(catalogue, "registry", lambda: {made.name: made})


def get(mirror, *cases):
    made = entry(mirror, *cases)
    return fetch.download(made, made.editions[0].files[0], tell=lambda line: None)


def leftovers(tmp_path):
    return [p for p in (tmp_path / "home").rglob("*") if p.is_file()]


# Downloading


BAD = """403 404 416 500 corrupt short long stall loop elsewhere wrong-range changes drip
empty""".split()


@pytest.mark.parametrize("first", BAD)
def test_a_bad_mirror_is_passed_over(mirror, first, tmp_path):
    path = get(mirror, first, "good")
    assert path.read_bytes() == BODY
    assert leftovers(tmp_path) == [path]
    assert mirror.seen[0][0] == f"/{first}" and mirror.seen[-1][0] == "/good"


@pytest.mark.parametrize(
    "case, words",
    [
        ("403", "answered 403"),
        ("500", "answered 500"),
        ("corrupt", "wrong SHA-256"),
        ("short", "sent 5,000 bytes or more, expected"),
        ("long", "expected"),
        ("stall", "timed out"),
        ("drip", "too slow"),
        ("loop", "infinite loop|redirect"),
        ("elsewhere", "file:///|not allowed"),
        ("wrong-range", "wrong SHA-256"),
        ("changes", "wrong SHA-256"),
    ],
)
def test_nothing_bad_reaches_the_cache(mirror, case, words, tmp_path):
    with pytest.raises(ConnectionError, match=words):
        get(mirror, case)
    assert leftovers(tmp_path) == []


def test_a_mirror_that_never_stops_is_hung_up_on(mirror, tmp_path):
    assert get(mirror, "endless", "good").read_bytes() == BODY
    mirror.shutdown()
    assert mirror.megabytes < 32


def test_redirects_are_followed(mirror):
    assert get(mirror, "redirect").read_bytes() == BODY


def test_a_broken_download_goes_on_where_it_broke(mirror):
    assert get(mirror, "breaks").read_bytes() == BODY
    assert mirror.seen == [("/breaks", None), ("/breaks", f"bytes={len(BODY) // 2}-")]


def test_a_mirror_that_cannot_go_on_starts_again(mirror):
    assert get(mirror, "breaks-no-range").read_bytes() == BODY


def test_no_second_try_where_it_is_refused(mirror):
    with pytest.raises(ConnectionError):
        get(mirror, "404")
    assert len(mirror.seen) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_however_many_bad_mirrors_there_are_one_good_one_is_enough(mirror, seed, tmp_path):
    """And before it, all the bad ones together leave nothing in the cache."""
    cases = random.Random(seed).sample(BAD, 4)
    with pytest.raises(ConnectionError) as caught:
        get(mirror, *cases)
    assert all(f"/{case}: " in str(caught.value) for case in cases)
    assert leftovers(tmp_path) == []
    path = get(mirror, *cases, "breaks")
    assert path.read_bytes() == BODY and leftovers(tmp_path) == [path]


def test_nobody_answers(monkeypatch, tmp_path, mirror):
    made = entry(mirror)
    file = File("text.txt", SHA, len(BODY), ("http://127.0.0.1:9/nothing",))
    with pytest.raises(ConnectionError, match="refused"):
        fetch.download(made, file, tell=lambda line: None)


def test_a_full_disk_is_not_blamed_on_the_mirror(mirror, monkeypatch, tmp_path):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch, "_receive", full)
    with pytest.raises(OSError, match="the disk is full"):
        get(mirror, "good", "good")
    assert leftovers(tmp_path) == []


# Loading


def test_load_downloads_once(mirror, monkeypatch, capsys):
    register(monkeypatch, entry(mirror, "403", "good"))
    assert catalogue.datasets()[0].state == "downloadable"
    corpus = mb.data.load("small")
    assert corpus.documents[1].paragraphs == ["A third."]
    assert "fetching text.txt (0.1 MB) from 127.0.0.1" in capsys.readouterr().out
    seen = len(mirror.seen)
    mb.data.load("small")
    assert len(mirror.seen) == seen
    assert catalogue.datasets()[0].state == "here"


@pytest.mark.parametrize("place", ["sub/text.txt", "text.txt"])
def test_the_data_folder_comes_first(mirror, monkeypatch, tmp_path, place):
    register(monkeypatch, entry(mirror, "good"))
    monkeypatch.setenv("MINIBERT_DATA", str(tmp_path))
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_bytes(BODY)
    assert len(mb.data.load("small").documents) == 4000
    assert mirror.seen == []


def test_a_damaged_local_file_is_named(mirror, monkeypatch, tmp_path):
    register(monkeypatch, entry(mirror, "good"))
    monkeypatch.setenv("MINIBERT_DATA", str(tmp_path))
    (tmp_path / "text.txt").write_bytes(BODY[:-1])
    with pytest.raises(ValueError, match=r"text\.txt is damaged or another edition"):
        mb.data.load("small").text()


def test_offline_says_what_to_put_where(mirror, monkeypatch, tmp_path, capsys):
    register(monkeypatch, entry(mirror, "500"))
    monkeypatch.setenv("MINIBERT_DATA", str(tmp_path / "data"))
    with pytest.raises(FileNotFoundError) as error:
        mb.data.load("small")
    message = str(error.value)
    for part in ("sub/text.txt", str(tmp_path / "data"), "MINIBERT_DATA", "500", "home"):
        assert part in message
    capsys.readouterr()
    assert main(["data", "get", "small"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_local_only_says_so(mirror, monkeypatch):
    register(monkeypatch, entry(mirror))
    assert catalogue.datasets()[0].state == "local only"
    with pytest.raises(FileNotFoundError, match="no mirror has it in this form"):
        mb.data.load("small")


def test_the_next_edition_is_tried(mirror, monkeypatch):
    made = entry(mirror, "500")
    good = entry(mirror, "good").editions[0]
    register(monkeypatch, Entry("small", "", "", "", (*made.editions, good)))
    assert len(mb.data.load("small").documents) == 4000


def test_unknown_names_get_a_suggestion():
    with pytest.raises(ValueError, match="did you mean wiki_valid"):
        mb.data.load("wiki-valid")


def test_the_command(mirror, monkeypatch, capsys):
    register(monkeypatch, entry(mirror, "good"))
    assert main(["data", "list"]) == 0
    assert "downloadable  two texts [none]" in capsys.readouterr().out
    assert main(["data", "get", "small"]) == 0
    path = Path(capsys.readouterr().out.splitlines()[-1].removeprefix("small: "))
    assert path.read_bytes() == BODY


def test_the_registry_is_complete():
    for name, made in registry().items():
        assert made.name == name and made.licence and made.about and made.source
        for edition in made.editions:
            assert hasattr(catalogue.readers, edition.reader)
            for file in edition.files:
                assert len(file.sha256) == 64 and file.size > 0
                assert all(url.startswith("https://") for url in file.urls)


# Reading


@pytest.mark.parametrize(
    "pack, suffix", [(bytes, ""), (lzma.compress, ".xz"), (gzip.compress, ".gz")]
)
def test_own_files_compressed_or_not(tmp_path, pack, suffix):
    path = tmp_path / f"text.txt{suffix}"
    path.write_bytes(
        pack("\ufeffBefore any title.\r\n= A b =\r\nOne. \n\n = = Part = = \nTwo.".encode())
    )
    corpus = mb.data.load(path)
    assert [(d.title, d.paragraphs) for d in corpus] == [
        ("", ["Before any title."]),
        ("A b", ["One.", "Two."]),
    ]
    assert list(corpus.paragraphs()) == ["Before any title.", "One.", "Two."]
    assert corpus.text() == "Before any title.\n\nOne.\nTwo."
    assert list(corpus.token_lines())[0] == ["Before", "any", "title", "."]


@pytest.mark.parametrize("name", ["cut.xz", "cut.gz", "latin.txt"])
def test_files_that_cannot_be_read(tmp_path, name):
    packed = {"cut.xz": lzma.compress(BODY), "cut.gz": gzip.compress(BODY)}
    data = packed[name][:-30] if name in packed else b"caf\xe9\n"
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=f"{name} cannot be read as text"):
        mb.data.load(tmp_path / name).text()


def test_a_file_that_grows_without_end_is_stopped(tmp_path):
    (tmp_path / "bomb.xz").write_bytes(lzma.compress(bytes(1 << 22)))
    with pytest.raises(ValueError, match="unpacks to more than 1,000,000 bytes"):
        list(Source(tmp_path / "bomb.xz", limit=1_000_000).lines())


def archive(path, members):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as file:
            for name, data in members.items():
                file.writestr(name, data)
        return
    with tarfile.open(path, "w:gz") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.gz"])
def test_archives(tmp_path, kind):
    members = {"x/one.txt": b"1", "two.txt": b"22"}
    archive(tmp_path / kind, members)
    assert dict(Source(tmp_path / kind).members()) == members
    with pytest.raises(ValueError, match="more than 2 bytes"):
        list(Source(tmp_path / kind, limit=2).members())


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil"])
def test_members_that_point_outside_are_refused(tmp_path, kind, name):
    archive(tmp_path / kind, {name: b"x"})
    with pytest.raises(ValueError, match="points outside"):
        list(Source(tmp_path / kind).members())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        file.addfile(info)
    with pytest.raises(ValueError, match="no plain file"):
        list(Source(tmp_path / "a.tar").members())


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.gz"])
def test_damaged_archives(tmp_path, kind):
    archive(tmp_path / kind, {"one": os.urandom(5000)})
    data = (tmp_path / kind).read_bytes()
    (tmp_path / kind).write_bytes(data[:3000])
    with pytest.raises(ValueError, match="cannot be unpacked"):
        list(Source(tmp_path / kind).members())


def local(monkeypatch, tmp_path, name, edition, path):
    """The entry ``name`` with one edition, whose file is the one at ``path``."""
    data = path.read_bytes()
    file = File(path.name, hashlib.sha256(data).hexdigest(), len(data))
    register(monkeypatch, Entry(name, "", "", "", (Edition(edition, (file,)),)))
    monkeypatch.setenv("MINIBERT_DATA", str(tmp_path))
    return mb.data.load(name)


def test_the_published_wikitext_archive(monkeypatch, tmp_path):
    texts = {s: f" \n = T = \n \n a <unk> {s} . \n" for s in ("train", "valid", "test")}
    members = {f"wikitext-2/wiki.{s}.tokens": text.encode() for s, text in texts.items()}
    archive(tmp_path / "w.zip", members)
    splits = local(monkeypatch, tmp_path, "wikitext-2", "wikitext_archive", tmp_path / "w.zip")
    assert list(splits.test)[0].paragraphs == ["a <unk> test ."]
    assert list(splits.train.token_lines()) == [
        [], ["=", "T", "="], [], ["a", "<unk>", "train", "."],
    ]  # fmt: skip


def test_the_published_imdb_archive(monkeypatch, tmp_path):
    members = {
        f"aclImdb/{split}/{label}/{i}_7.txt": f"{split} {label} {i}".encode()
        for split in ("train", "test")
        for label in ("neg", "pos", "unsup")
        for i in range(2)
    }
    archive(tmp_path / "i.tar.gz", {"aclImdb/README": b"", **members})
    splits = local(monkeypatch, tmp_path, "imdb", "imdb_archive", tmp_path / "i.tar.gz")
    assert splits.train.labels == [0, 0, 1, 1] and splits.train.names == ("negative", "positive")
    assert splits.test[3] == ("test pos 1", 1)


# The data sets themselves, where they are at hand


@pytest.mark.data
def test_real_text(data_dir):
    books = mb.data.load("books_train")
    assert len(books.documents) == 33
    first = next(iter(mb.data.load("wiki_train")))
    assert first.title == "Emi Machida" and first.paragraphs[0].startswith("is a toji")
    assert next(iter(mb.data.load("wiki_valid"))).title == "Church of San Giulio, Castellanza"


@pytest.mark.data
def test_wikitext_has_the_tokens_that_are_reported(data_dir):
    valid = mb.data.load("wikitext-2").valid
    assert sum(len(line) + 1 for line in valid.token_lines()) == 217_646
    assert len(valid.documents) == 60


@pytest.mark.data
def test_real_labels_and_ratings(data_dir):
    imdb = mb.data.load("imdb").train
    assert len(imdb) == 25_000 and sum(imdb.labels) == 12_500
    reviews = mb.data.load("movie_reviews")
    assert len(reviews) == 1800 and sorted(set(reviews.folds)) == list(range(9))
    assert len(mb.data.load("subjectivity")) == 8000
    intents = mb.data.load("banking77")
    assert len(intents) == len(set(intents.groups)) == 10_003 and len(intents.labels) == 77
    assert (intents[0].text, intents[0].label) == ("I am still waiting on my card?", "card_arrival")
    assert sum("\n" in example.text for example in intents) == 10
    assert repr(intents) == "Examples(10,003 text: 77 labels)"
    pairs = mb.data.load("wordsim353")
    assert pairs.pairs[1] == ("tiger", "cat") and pairs.scores[1] == 7.35
    assert len(mb.data.load("men")) == 3000
    questions = mb.data.load("google-analogies")
    assert len(questions) == 19_544 and sum(n[:4] == "gram" for n in questions.sections) == 9
    assert questions.sections["family"][0] == ("boy", "girl", "brother", "sister")


@pytest.mark.data
def test_a_split_that_is_not_here_says_how_to_get_it(data_dir):
    splits = mb.data.load("imdb")
    if "test" not in splits.parts:
        with pytest.raises(AttributeError, match="minibert data get imdb"):
            splits.test  # noqa: B018


@pytest.mark.data
def test_a_corpus_encodes_as_its_paragraphs_do(data_dir):
    paragraphs = list(mb.data.load("wiki_valid").paragraphs())
    vocab = mb.text.Vocab.train(paragraphs, min_count=3)
    ids, offsets = vocab.encode_corpus(paragraphs)
    assert ids.tolist() == [i for paragraph in paragraphs for i in vocab.encode(paragraph)]
    assert vocab.counts.sum() == len(ids) == offsets[-1]


@pytest.mark.data
def test_tokens_survive_detokenising_on_real_text(data_dir):
    lines = list(mb.data.load("wiki_valid").paragraphs())
    tokens = [mb.text.tokenise(line) for line in lines]
    kept = sum(mb.text.tokenise(mb.text.detokenise(t)) == t for t in tokens)
    assert kept > 0.999 * len(lines)
