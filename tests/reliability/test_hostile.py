"""Files that somebody made to do harm: refused in one sentence, without harm, by the right reader.

Each case changes good files of one format (see formats.py); the reader runs in a process of its own
with little memory, and watched (see guard.py).
"""

import gzip
import io
import json
import lzma
import os
import pickle
import re
import struct
import tarfile
import zipfile

import formats
import h5py
import numpy as np
import pytest
import torch
from guard import apart

from minibert.data.sources import Source
from minibert.storage import checkpoint

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and resource limits")
BY_NAME = {one.name: one for one in formats.FORMATS}
DEEP = 100_000
HUGE = 10**12


class Runs:
    """A pickle that runs a command when it is read."""

    def __reduce__(self):
        return os.system, ("touch executed",)


class Allocates:
    """A pickle that asks for four gigabytes."""

    def __reduce__(self):
        return bytearray, (4 << 30,)


def put(name, data):
    """A case that replaces a file."""
    return lambda folder: (folder / name).write_bytes(data)


def packed(name, pack):
    """A case that replaces a file with zeros, packed."""
    return lambda folder: (folder / name).write_bytes(pack(ZEROS))


def change(name, **values):
    """A case that sets values of a JSON file."""

    def case(folder):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**content, **values}))

    return case


def header(content, body=b"", size=None):
    """A safetensors file with this header."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


def safe(*parts, **options):
    return put("m.safetensors", header(*parts, **options))


def tensor(shape, offsets, kind="F32"):
    return {"dtype": kind, "shape": shape, "data_offsets": offsets}


def json_cases(name, keep=b'{"a": 1}'):
    """What no reader of JSON here takes, put in place of a file."""
    bad = {
        "deep lists": b"[" * DEEP,
        "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        "a list": b"[1, 2]",
        "null": b"null",
        "a number": b"17",
        "text": b'"x"',
        "empty": b"",
        "not UTF-8": b'{"a": "\xff"}',
        "UTF-16": '{"a": 1}'.encode("utf-16"),
        "more behind it": keep + b" x",
        "a number of 100,000 digits": b'{"a": ' + b"9" * 100_000 + b"}",
    }
    return {f"{name}: {kind}": put(name, data) for kind, data in bad.items()}


def inside(name, key):
    """Values that a JSON file must not have: a key twice, NaN, half a surrogate pair."""
    bad = {
        "a key twice": f'"{key}": 1, "{key}": 1',
        "NaN": f'"{key}": NaN',
        "Infinity": f'"{key}": Infinity',
        "1e999": f'"{key}": 1e999',
        "half a pair": f'"{key}": "\\ud800"',
        "text": f'"{key}": "x"',
        "a list": f'"{key}": [[1]]',
        "an object": f'"{key}": {{"a": 1}}',
        "true": f'"{key}": true',
        "half": f'"{key}": 0.5',
        "less than nothing": f'"{key}": -3',
        "huge": f'"{key}": {HUGE}',
        "beyond 64 bits": f'"{key}": {10**30}',
    }

    def case(new):
        def write(folder):
            text, times = re.subn(rf'"{key}": \d+', lambda _: new, (folder / name).read_text())
            assert times == 1
            (folder / name).write_text(text)

        return write

    return {f"{name}, {key}: {kind}": case(new) for kind, new in bad.items()}


def pickled(name):
    """Pickles that run code, or ask for more memory than there is."""
    words = pickle.dumps(["a" * 60_000, *["b"] * 5], 2)
    bomb = b"\x80\x02]q\x00(" + words[words.index(b"X") : words.index(b"q\x01")] + b"q\x01"
    cases = {f"a command, protocol {p}": pickle.dumps(Runs(), p) for p in range(6)}
    cases |= {f"a command in a list, {p}": pickle.dumps(["a", Runs()], p) for p in range(6)}
    cases |= {
        "gigabytes by a class": pickle.dumps(Allocates(), 2),
        "a memo of 2**31 places": b"\x80\x02]r\xff\xff\xff\x7f.",
        "a string of 2**62 bytes": b"\x80\x04]\x8d" + struct.pack("<Q", 1 << 62) + b"abc.",
        "a frame of 2**62 bytes": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"].",
        "one word 300,000 times": bomb + b"h\x01" * 300_000 + b"e.",
        "lists in lists": b"\x80\x02" + b"]" * DEEP + b"a" * (DEEP - 1) + b".",
        "numbers": pickle.dumps([1, 2, 3]),
        "a dict": pickle.dumps({"a": 1}),
        "text": pickle.dumps("the"),
        "nothing": b"",
        "a stop at once": b"\x80\x02.",
        "a list in itself": b"\x80\x02]q\x00h\x00a.",
        "an extension": b"\x80\x02\x82\x01.",
        "a persistent name": b"Phttp://127.0.0.1/\n.",
    }
    return {kind: put(name, data) for kind, data in cases.items()}


def saved(content, **options):
    data = io.BytesIO()
    torch.save(content, data, **options)
    return data.getvalue()


def stored(write):
    """A case that changes the HDF5 file of an ELMo."""

    def case(folder):
        with h5py.File(folder / "weights.hdf5", "r+") as file:
            write(file, folder)

    return case


def instead(make):
    """A case that puts another data set in place of the characters' table."""

    def write(file, folder):
        del file["char_embed"]
        make(file, folder)

    return stored(write)


def external(file, folder):
    (folder / "secret").write_bytes(bytes(261 * 3 * 4))
    place = [(str(folder / "secret"), 0, 261 * 3 * 4)]
    file.create_dataset("char_embed", (261, 3), "<f4", external=place)


def virtual(file, folder):
    layout = h5py.VirtualLayout((261, 3), "<f4")
    layout[:] = h5py.VirtualSource("other.hdf5", "x", (261, 3))
    file.create_virtual_dataset("char_embed", layout)


def groups(file, folder):
    for _ in range(200):
        file = file.create_group("g")


def archive_of(name, *members):
    """A tar with these members: (TarInfo changes, data)."""

    def case(folder):
        with tarfile.open(folder / name, "w") as archive:
            for changes, data in members:
                info = tarfile.TarInfo("x")
                info.size = len(data)
                for key, value in changes.items():
                    setattr(info, key, value)
                archive.addfile(info, io.BytesIO(data))

    return case


def linked(kind):
    return archive_of("a.tar", ({"type": kind, "linkname": "/etc/passwd"}, b""))


def zipped(*members, method=zipfile.ZIP_DEFLATED, edit=None):
    def case(folder):
        with zipfile.ZipFile(folder / "a.zip", "w", method) as archive:
            for name, data in members:
                archive.writestr(name, data)
        if edit:
            path = folder / "a.zip"
            path.write_bytes(edit(path.read_bytes()))

    return case


def encrypted(data):
    """The flag that says so, in both headers."""
    data = bytearray(data)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    return bytes(data)


def other_method(data):
    data = bytearray(data)
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(mark) + at] = 97
    return bytes(data)


def link_in_zip():
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    return zipped((info, b"/etc/passwd"))


def outside(pack):
    names = ("../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil", "a/..")
    return {f"a path outside: {name}": pack(name) for name in names}


def sparse(folder):
    """A tar whose one member is eight gigabytes of nothing."""
    info = tarfile.TarInfo("x")
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[386:398] = block[398:410] = b"00000000000\x00"
    block[483:495] = b"%011o\x00" % (8 << 30) if 8 << 30 < 8**11 else b"77777777777\x00"
    block[148:156] = b"        "
    block[148:156] = b"%06o\x00 " % sum(block)
    (folder / "a.tar").write_bytes(bytes(block) + bytes(1024))


ZEROS = bytes(32 << 20)
FULL = torch.zeros(1).expand(10**6, 10**6)  # says that it is large, and has one number
HALF = torch.zeros(1).half().expand(10**6, 10**6)
ONE = b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
TENSORS = {
    "a header of 2**63 bytes": safe({}, size=1 << 63),
    "a header of 2**40 bytes": safe({}, size=1 << 40),
    "no header": safe(b"", size=0),
    "numbers beyond the end": safe({"a": tensor([2], [0, 8])}, b"1234"),
    "a shape of 10**24": safe({"a": tensor([HUGE, HUGE], [0, 8])}, b"12345678"),
    "a shape that overflows": safe({"a": tensor([1 << 63, 2], [0, 0])}),
    "less than nothing": safe({"a": tensor([-1], [0, 4])}, b"1234"),
    "numbers that overlap": safe(dict.fromkeys("ab", tensor([1], [0, 4])), b"1234"),
    "a gap": safe({"a": tensor([1], [4, 8])}, b"12345678"),
    "an unknown kind": safe({"a": tensor([1], [0, 4], "Q9")}, b"1234"),
    "a name twice": safe(b"{%s,%s}" % (ONE, ONE), b"1234"),
    "tied to nothing": safe({"__metadata__": {"tied": '{"a": "b"}'}}),
    "tied deeply": safe({"__metadata__": {"tied": "[" * DEEP}}),
    "tied to a list": safe({"__metadata__": {"tied": "[1]"}}),
    "tied to itself": safe({"__metadata__": {"tied": '{"a": "a"}'}}),
    "odd metadata": safe({"__metadata__": [1]}),
    "deep": safe(b'{"a":' * 50_000),
    "a pickle": put("m.safetensors", pickle.dumps(Runs())),
}  # fmt: skip

CASES = {
    "safetensors": TENSORS,
    "BERT folder": {
        **json_cases("config.json"),
        **json_cases("tokenizer_config.json"),
        **inside("config.json", "num_hidden_layers"),
        **inside("config.json", "hidden_size"),
        **inside("config.json", "vocab_size"),
        **inside("config.json", "max_position_embeddings"),
        **inside("config.json", "num_attention_heads"),
        "layers without end": change("config.json", num_hidden_layers=HUGE),
        "ten million layers": change("config.json", num_hidden_layers=10_000_000),
        "a size in text": change("config.json", hidden_size="8" * 1000),
        "an activation in a list": change("config.json", hidden_act=["gelu"]),
        "a type in a list": change("config.json", model_type=["bert"]),
        "sines of ten million places": change(
            "config.json", model_type="minibert-bert", position="sinusoidal",
            max_position_embeddings=10**10,
        ),
        "a pickle for tensors": put("model.safetensors", pickle.dumps(Runs())),
        "case in text": put("tokenizer_config.json", b'{"do_lower_case": "no"}'),
    },
    "GPT folder": {
        **json_cases("config.json"),
        **inside("config.json", "n_layer"),
        **inside("config.json", "n_embd"),
        "layers without end": change("config.json", n_layer=HUGE),
        "a width in text": change("config.json", n_inner="x"),
        "a width without end": change("config.json", n_embd="8" * 100),
        "a type in a list": change("config.json", model_type=[[]]),
        "an activation in an object": change("config.json", afn={}),
    },
    "word2vec folder": {
        **json_cases("config.json"),
        **inside("config.json", "dim"),
        **inside("config.json", "vocab_size"),
    },
    "AWD-LSTM folder": {
        **json_cases("config.json"),
        **inside("config.json", "layers"),
        **inside("config.json", "hidden"),
    },
    "ELMo": {
        **json_cases("options.json"),
        **inside("options.json", "n_layers"),
        **inside("options.json", "n_highway"),
        "not HDF5": put("weights.hdf5", pickle.dumps(Runs())),
        "empty": put("weights.hdf5", b""),
        "a data set of terabytes": instead(
            lambda file, _: file.create_dataset("char_embed", (HUGE, 3), "<f4", chunks=(1000, 3))
        ),
        "a gigabyte of zeros, packed": instead(
            lambda file, _: file.create_dataset(
                "char_embed", (1 << 24, 16), "<f4", chunks=(1 << 16, 16), compression="gzip"
            )
        ),
        "numbers in another file": instead(external),
        "numbers of another file's": instead(virtual),
        "text": instead(lambda file, _: file.create_dataset("char_embed", data=["a"] * 3)),
        "whole numbers": instead(
            lambda file, _: file.create_dataset("char_embed", data=np.ones((261, 3), int))
        ),
        "an empty one": instead(lambda f, _: f.create_dataset("char_embed", data=h5py.Empty("f4"))),
        "a link to another file": instead(
            lambda file, _: file.__setitem__("char_embed", h5py.ExternalLink("/etc/passwd", "/"))
        ),
        "a link to nothing": instead(
            lambda file, _: file.__setitem__("char_embed", h5py.SoftLink("/no"))
        ),
        "one more": stored(lambda file, _: file.create_dataset("more", data=np.ones(3))),
        "200 groups in each other": stored(
            lambda file, _: (groups(file, _), file.__delitem__("char_embed"))
        ),
    },
    "fastai itos": pickled("3.pkl"),
    "fastai .pth": {
        "a command": put("m.pth", saved({"0.encoder.weight": Runs()})),
        "a command, as of old": put("m.pth", saved(Runs(), _use_new_zipfile_serialization=False)),
        "a bare pickle": put("m.pth", pickle.dumps(Runs(), 2)),
        "gigabytes by a class": put("m.pth", saved({"a": Allocates()})),
        "a view of 10**12 numbers": put("m.pth", saved({"0.encoder.weight": FULL})),
        "the same in half precision": put("m.pth", saved({"0.encoder.weight": HALF})),
        "no memory": put("m.pth", saved({"0.encoder.weight": torch.empty(9, 9, device="meta")})),
        "a sparse one": put("m.pth", saved({"0.encoder.weight": torch.eye(9).to_sparse()})),
        "a list": put("m.pth", saved([torch.ones(2)])),
        "numbers for names": put("m.pth", saved({1: torch.ones(2)})),
        "a number": put("m.pth", saved({"0.encoder.weight": 3})),
        "nothing": put("m.pth", b""),
        "an archive of something": put("m.pth", b"PK\x05\x06" + bytes(18)),
    },
    "word2vec text": {
        "10**17 words": put("v.txt", b"100000000000000000 5\na 1 2 3 4 5\n"),
        "10**17 dimensions": put("v.txt", b"1 100000000000000000\na 1 2 3 4 5\n"),
        "no dimension": put("v.txt", b"10 0\na\n"),
        "a line without end": put("v.txt", b"1 2\n" + b"a" * (8 << 20)),
        "not finite": put("v.txt", b"1 2\na nan 1\n"),
        "too large": put("v.txt", b"1 2\na 1e99 1\n"),
        "underscores": put("v.txt", b"1 2\na 1_0 1\n"),
        "zeros": put("v.txt", bytes(1 << 20)),
    },
    "word2vec binary": {
        "10**12 words": put("v.bin", b"1000000000000 5\na " + bytes(20)),
        "65,536 dimensions": put("v.bin", b"9 65536\na " + bytes(40)),
        "a word without end": put("v.bin", b"3 2\n" + b"a" * 100_000),
        "not finite": put("v.bin", b"1 2\na " + struct.pack("<ff", float("nan"), 1)),
        "one too many": put("v.bin", b"1 2\na " + bytes(8) + b"b " + bytes(8)),
    },
    "vocabulary": {
        "a count of 10**30": put("vocab.tsv", b"a\t1000000000000000000000000000000\n"),
        "a count in other digits": put("vocab.tsv", "a\t\u0663\n".encode()),
        "less than nothing": put("vocab.tsv", b"a\t-1\n"),
        "a word twice": put("vocab.tsv", b"a\t1\na\t1\n"),
        "no word": put("vocab.tsv", b"\t1\n"),
        "not UTF-8": put("vocab.tsv", b"\xff\t1\n"),
        "empty": put("vocab.tsv", b""),
        "binary": put("vocab.tsv", bytes(range(256)) * 50),
    },
    "WordPiece": {
        "no [UNK]": put("vocab.txt", b"a\nb\n"),
        "a word twice": put("vocab.txt", b"[UNK]\na\na\n"),
        "an empty line": put("vocab.txt", b"[UNK]\n\na\n"),
        "not UTF-8": put("vocab.txt", b"[UNK]\n\xff\n"),
        "UTF-16": put("vocab.txt", "[UNK]\na\n".encode("utf-16")),
    },
    "BPE of words": {
        **json_cases("vocab.json"),
        "an id twice": put("vocab.json", b'{"a</w>": 0, "b</w>": 0}'),
        "a gap": put("vocab.json", b'{"a</w>": 0, "b</w>": 2}'),
        "true for an id": put("vocab.json", b'{"a</w>": false, "b</w>": true}'),
        "10**30 for an id": put("vocab.json", b'{"a</w>": 1' + b"0" * 30 + b"}"),
        "half a pair": put("vocab.json", b'{"\\ud800</w>": 0}'),
        "merges of three": put("merges.txt", b"a b c\n"),
        "merges unknown": put("merges.txt", b"q z\n"),
        "merges that are not UTF-8": put("merges.txt", b"\xff \xfe\n"),
    },
    "BPE of bytes": {
        "letters that are no bytes": put("vocab.json", '{"\u65e5": 0}'.encode()),
        "a merge twice": lambda folder: (folder / "merges.txt").write_bytes(
            (folder / "merges.txt").read_bytes() + (folder / "merges.txt").read_bytes()
        ),
    },
    "world lexicon": {
        "deep": put("a.toml", b"a = " + b"[" * DEEP),
        "not TOML": put("a.toml", b"{}"),
        "no words": put("a.toml", b'[a]\npos = "NOUN"\n'),
        "words in a list": put("a.toml", b'[a]\npos = "NOUN"\nwords = ["a"]\n'),
        "a number for words": put("a.toml", b'[a]\npos = "NOUN"\nwords = 3\n'),
        "text for forms": put("a.toml", b'[a]\npos = "NOUN"\nforms = "x"\nwords = "dog"\n'),
        "an infinite slope": put("a.toml", b'[a]\npos = "NOUN"\nzipf = inf\nwords = "dog"\n'),
        "no slope": put("a.toml", b'[a]\npos = "NOUN"\nzipf = nan\nwords = "dog"\n'),
        "a word of one letter": put("a.toml", b'[a]\npos = "NOUN"\nwords = "y"\n'),
        "a tag that is no name": put(
            "a.toml", b'[a]\npos = "ADV"\ntags = ["word"]\nwords = "so word=x"\n'
        ),
        "values at the top": put("a.toml", b"a = 3\n"),
        "not UTF-8": put("a.toml", b"a = '\xff'\n"),
    },
    "JSONL labels": {
        **json_cases("d"),
        "a key twice": put("d", b'{"text": "a", "text": "b", "label": 1}'),
        "NaN": put("d", b'{"text": "a", "label": NaN}'),
        "an unknown label": put("d", b'{"text": "a", "label": 7}'),
        "half a label": put("d", b'{"text": "a", "label": 0.5}'),
        "a list for text": put("d", b'{"text": ["a"], "label": 1}'),
        "half a pair": put("d", b'{"text": "\\ud800", "label": 1}'),
    },
    "JSONL pairs": {
        **json_cases("d"),
        "no label": put("d", b'{"premise": "a", "hypothesis": "b"}'),
        "a list for text": put("d", b'{"premise": [], "hypothesis": "b", "label": "neutral"}'),
    },
    "CoNLL": {
        "one word": put("d", b"the\n"),
        "no tag": put("d", b"the DT\n"),
        "a tag without a name": put("d", b"the B-\n"),
        "not UTF-8": put("d", b"\xff O\n"),
    },
    "SQuAD": {
        **json_cases("d"),
        "an answer before the text": put("d", formats.SQUAD.replace('t": 4', 't": -4').encode()),
        "an answer behind it": put("d", formats.SQUAD.replace('t": 4', 't": 400').encode()),
        "half a place": put("d", formats.SQUAD.replace('t": 4', 't": 4.5').encode()),
        "true for a place": put("d", formats.SQUAD.replace('t": 4', 't": true').encode()),
        "no answers": put("d", formats.SQUAD.replace("answers", "questions").encode()),
        "a number for a text": put("d", formats.SQUAD.replace('"cat"', "3").encode()),
    },
    "word pairs": {
        "no score": put("d", b"a\tb\n"),
        "NaN": put("d", b"a\tb\tnan\n"),
        "infinite": put("d", b"a\tb\tinf\n"),
        "text": put("d", b"a\tb\tc\n"),
        "underscores": put("d", b"a\tb\t1_0\n"),
    },
    "analogies": {
        "no section": put("d", b"a b c d\n"),
        "three words": put("d", b": x\na b c\n"),
        "five words": put("d", b": x\na b c d e\n"),
    },
    "checkpoint": {
        "a command": put("run/step-00000001/training.pt", saved(Runs())),
        **json_cases("run/step-00000001/record.json"),
    },
    "findings": {
        **json_cases("findings/01.json"),
        "a number": put("findings/01.json", b'{"experiments": 3}'),
    },
    "progress": json_cases("progress.json"),
    "xz": {
        "32 MB of zeros": packed("t.xz", lzma.compress),
        "the same as of old": packed("t.xz", lambda data: lzma.compress(data, lzma.FORMAT_ALONE)),
        "a dictionary of 4 GB": put("t.xz", b"\x5d" + b"\xff" * 4 + b"\xff" * 8 + bytes(20)),
        "cut": put("t.xz", lzma.compress(b"a" * 999)[:-9]),
        "something else": put("t.xz", gzip.compress(b"a")),
    },
    "gz": {
        "32 MB of zeros": packed("t.gz", gzip.compress),
        "32 MB in many parts": put("t.gz", gzip.compress(bytes(1 << 20)) * 32),
        "rubbish behind it": put("t.gz", gzip.compress(b"a") + b"x" * 99),
        "something else": put("t.gz", lzma.compress(b"a")),
    },
    "plain text": {
        "not UTF-8": put("t.txt", b"caf\xe9\n"),
        "UTF-16": put("t.txt", "a\n".encode("utf-16")),
    },
    "zip": {
        **outside(lambda name: zipped((name, b"x"))),
        "a link": link_in_zip(),
        "32 MB of zeros": zipped(("a", ZEROS)),
        "32 MB of zeros, by lzma": zipped(("a", ZEROS), method=zipfile.ZIP_LZMA),
        "32 MB in many files": zipped(*((f"{i}", bytes(1 << 20)) for i in range(32))),
        "a password": zipped(("a", b"x" * 99), edit=encrypted),
        "an unknown method": zipped(("a", b"x" * 99), edit=other_method),
        "something else": put("a.zip", b"Rar!" + bytes(99)),
    },
    "tar": {
        **outside(lambda name: archive_of("a.tar", ({"name": name}, b"x"))),
        "a symbolic link": linked(tarfile.SYMTYPE),
        "a hard link": linked(tarfile.LNKTYPE),
        "a device": archive_of("a.tar", ({"type": tarfile.CHRTYPE}, b"")),
        "a pipe": archive_of("a.tar", ({"type": tarfile.FIFOTYPE}, b"")),
        "gigabytes of nothing": sparse,
        "something else": put("a.tar", b"x" * 5000),
    },
}  # fmt: skip


def refuse_all(name, folder, watch):
    """Give each case of a format to its reader; what was not refused as it should be."""
    one, faults = BY_NAME[name], []
    for kind, case in CASES[name].items():
        work = folder / f"{len(os.listdir(folder))}"
        work.mkdir()
        one.make(work)
        case(work)
        watch.own = str(work) if name == "progress" else None  # it puts a bad file aside
        before = sorted(os.listdir(work))
        try:
            with watch:
                found = one.read(work)
            faults.append(f"{kind}: accepted as {found!r:.200}")
        except (ValueError, OSError) as error:
            if "\n" in str(error) or not 8 < len(str(error)) < 3000:
                faults.append(f"{kind}: not one sentence: {str(error)!r:.300}")
        except Exception as error:
            faults.append(f"{kind}: {error!r:.300}")
        if os.path.exists("executed") or (not watch.own and sorted(os.listdir(work)) != before):
            faults.append(f"{kind}: something was written")
    return {"faults": faults}


@pytest.mark.parametrize("name", CASES)
def test_hostile_files_are_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases").mkdir()
    told = apart(lambda watch: refuse_all(name, tmp_path / "cases", watch))
    assert told["faults"] == []


def test_a_checkpoint_with_right_sums_and_a_command_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for bad in (saved(Runs()), pickle.dumps(Runs()), b"", saved([1]), saved({"x": Allocates()})):
        formats.make_checkpoint(tmp_path)
        path = max((tmp_path / "run").iterdir())
        (path / checkpoint.TRAINING).write_bytes(bad)
        names = (checkpoint.WEIGHTS, checkpoint.TRAINING, checkpoint.RECORD)
        sums = checkpoint._sums({name: (path / name).read_bytes() for name in names})
        (path / checkpoint.SUMS).write_bytes(sums)
        with pytest.warns(UserWarning, match="is damaged"):
            assert checkpoint.Checkpoints(tmp_path / "run").load() is None
    assert not (tmp_path / "executed").exists()


def test_nothing_of_an_archive_is_ever_written(tmp_path):
    """There is no code that unpacks: members come as bytes. The names are checked all the same."""
    formats.make_zip(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert dict(Source(tmp_path / "a.zip").members()) == formats.MEMBERS
    assert sorted(tmp_path.rglob("*")) == before
