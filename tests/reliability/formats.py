"""Every reader of files: a small good file, how it is read, and an independent reading of it.

``plain(folder)`` reads the same files with other code: the standard library, the format's own
library, or a few lines here. A damaged file that the reader accepts must be one that this reading
accepts too, with the same content; then it is a good file that says something else.
"""

import gzip
import io
import json
import lzma
import pickle
import re
import struct
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass

import h5py
import numpy as np
import torch

import minibert as mb
from minibert.course.learn import finding
from minibert.course.learn import progress_file as record
from minibert.data import own_files, readers
from minibert.data.sources import Source
from minibert.models.awd_lstm import files as awd_lstm
from minibert.models.bert import files as bert
from minibert.models.elmo import files as elmo
from minibert.models.gpt import files as gpt
from minibert.models.word2vec import files as word2vec
from minibert.models.word2vec import vectors
from minibert.storage import checkpoint
from minibert.text import BPE, Vocab, WordPiece
from minibert.world.lexicon import Lexicon

WORDS = "the cat sat on a mat . dog ran far away".split()


@dataclass
class Format:
    """``make(folder)`` writes good files; ``damage`` names those that are damaged."""

    name: str
    make: object
    read: object
    plain: object
    damage: tuple


def strict(text):
    """JSON by the standard library, refusing what the standard forbids or leaves open."""

    def once(pairs):
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    found = json.loads(text, object_pairs_hook=once)
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    return found


def tables(arrays):
    """Arrays as something that compares."""
    return {
        name: (list(a.shape), np.ascontiguousarray(a, np.float32).tobytes())
        for name, a in arrays.items()
    }


def state(model):
    return tables({name: t.numpy() for name, t in model.state_dict().items()})


def plain_safetensors(path):
    """The arrays of a safetensors file, read as its description says."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header, body, found, end = strict(data[8 : 8 + size]), data[8 + size :], {}, 0
    meta = header.pop("__metadata__", {})
    for name, one in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, stop = one["data_offsets"]
        assert start == end <= stop <= len(body)
        kind = {"F32": "<f4", "I64": "<i8", "F16": "<f2", "F64": "<f8", "I32": "<i4", "U8": "u1",
                "I8": "i1", "BOOL": "?"}[one["dtype"]]  # fmt: skip
        found[name] = np.frombuffer(body[start:stop], kind).reshape(one["shape"])
        end = stop
    assert end == len(body)
    return found | {a: found[b] for a, b in strict(meta.get("tied", "{}")).items()}


# The world and vocabularies


def make_lexicon(folder):
    (folder / "a.toml").write_text(
        '[animal]\npos = "NOUN"\nforms = ["young"]\ntags = ["sound"]\nzipf = 0.7\n'
        'words = """\ndog young=puppy sound=woof\nsheep plural=sheep young=lamb # odd\n'
        'bat sense=bat.animal young=pup\n"""\n\n[verb]\npos = "VERB"\nwords = """\nsing past=sang '
        'participle=sung\nwalk\nstop weight=3\n"""\n'
    )


def read_lexicon(folder):
    found = Lexicon((folder,))
    return {cls: [one.name for one in choice] for cls, choice in found.classes.items()}


def plain_lexicon(folder):
    data = tomllib.loads((folder / "a.toml").read_bytes().decode())
    found = {}
    for cls, entry in data.items():
        lines = [line.split("#")[0].split() for line in entry["words"].splitlines()]
        found[cls] = [" ".join(w for w in line if "=" not in w) for line in lines if line]
    return found


def make_vocab(folder):
    Vocab.train([WORDS * 3, WORDS[:4]]).save(folder / "vocab.tsv")


def read_vocab(folder):
    found = Vocab.load(folder / "vocab.tsv")
    return [[t, n, t in found.specials] for t, n in zip(found.tokens, found.counts, strict=True)]


def plain_vocab(folder):
    text = (folder / "vocab.tsv").read_bytes().decode("utf-8", "surrogatepass")
    line = re.compile(r"([^\t\n]+)\t([0-9]+)(\tspecial)?")
    found = [line.fullmatch(one).groups() for one in text.removesuffix("\n").split("\n")]
    assert len({token for token, *_ in found}) == len(found)
    return [[token, int(count), mark is not None] for token, count, mark in found]


def make_wordpiece(folder):
    WordPiece.train([" ".join(WORDS)] * 3, 60).save(folder / "vocab.txt")


def plain_wordpiece(folder):
    tokens = (folder / "vocab.txt").read_bytes().decode("utf-8").removeprefix("\ufeff")
    tokens = [t.removesuffix("\r") for t in tokens.removesuffix("\n").split("\n")]
    assert all(tokens) and len(set(tokens)) == len(tokens) and "[UNK]" in tokens
    return tokens


def make_bpe(kind):
    def make(folder):
        BPE.train([" ".join(WORDS)] * 3, 300 if kind == "bytes" else 40, kind).save(folder)

    return make


def read_bpe(folder):
    found = BPE.load(folder)
    found.decode(range(len(found)))
    return [found.ids, [list(pair) for pair in found.merges]]


def plain_bpe(folder):
    ids = strict((folder / "vocab.json").read_bytes().decode())
    lines = (folder / "merges.txt").read_bytes().decode().split("\n")
    lines = [one.rstrip("\r") for one in lines[lines[0].startswith("#version") :]]
    merges = [one.split(" ") for one in lines if one]
    assert sorted(ids.values()) == list(range(len(ids)))
    assert all(len(pair) == 2 and {*pair, "".join(pair)} <= ids.keys() for pair in merges)
    return [ids, merges]


# Weights


def make_tensors(folder):
    tensors = {"a": torch.arange(12.0).reshape(3, 4), "b": torch.tensor([1, 2])}
    (folder / "m.safetensors").write_bytes(checkpoint.pack({**tensors, "tied": tensors["a"]}))


def read_tensors(folder):
    found = checkpoint.unpack((folder / "m.safetensors").read_bytes())
    return tables({name: tensor.float().numpy() for name, tensor in found.items()})


def plain_tensors(folder):
    return tables(plain_safetensors(folder / "m.safetensors"))


def make_bert(folder):
    tokenizer = WordPiece.train([" ".join(WORDS)] * 3, 60)
    config = mb.BERTConfig(len(tokenizer), 8, layers=1, heads=2, hidden=12, max_length=16)
    mb.BERT(config, tokenizer).save_pretrained(folder)


def make_gpt(folder):
    tokenizer = BPE.train([" ".join(WORDS)] * 3, 40, "words")
    config = mb.GPTConfig(len(tokenizer), 8, layers=1, heads=2, hidden=32, max_length=16)
    mb.GPT(config, tokenizer).save_pretrained(folder)


def read_model(load):
    def read(folder):
        model = load(folder)
        return [vars(model.config), sorted(map(str, state(model).values()))]

    return read


def plain_published(fields, sizes):
    """Sizes as the configuration says them, and the stored arrays, whatever their names."""

    def plain(folder):
        config = strict((folder / "config.json").read_bytes().decode())
        assert all(type(config[name]) is int for name in sizes if name in config)
        arrays = plain_safetensors(folder / "model.safetensors")
        return [{ours: config[name] for name, ours in fields.items() if name in config}, arrays]

    return plain


def same_published(found, plain):
    """Each size is the file's, and so are all numbers (their order depends on the layout)."""
    (config, _), (told, _) = found, plain
    return all(config[name] == value for name, value in told.items() if name in config)


def make_word2vec(folder):
    model = mb.Word2Vec(mb.Word2VecConfig(13, 4), Vocab.train([WORDS * 3]))
    model.save_pretrained(folder)


def make_awd_lstm(folder):
    vocab = Vocab.train([WORDS * 3])
    mb.AWDLSTM(mb.AWDLSTMConfig(len(vocab), 4, 6, 2), vocab).save_pretrained(folder)


def read_folder(load):
    """The configuration without its defaults' help, and the tensors."""

    def read(folder):
        model = load(folder)
        return [json.loads(json.dumps(vars(model.config))), state(model)]

    return read


def plain_folder(folder):
    config = strict((folder / "config.json").read_bytes().decode())
    return [config, tables(plain_safetensors(folder / "model.safetensors"))]


def same_folder(found, plain):
    """All that the file says of the model is so; what it leaves out is a default."""
    (config, tensors), (told, stored) = found, plain
    return told.items() <= config.items() and all(tensors[n] == t for n, t in stored.items())


def make_elmo(folder):
    config = mb.ELMoConfig(0, dim=6, projection=4, char_dim=3, filters=((1, 2), (2, 3)), highway=1)
    mb.ELMo(config).save_pretrained(folder)


def read_elmo(folder):
    model = elmo.load(folder)
    return [strict(json.dumps(elmo.options_of(model.config))), elmo_arrays(folder)]


def elmo_arrays(folder):
    """Every array as the library h5py gives it, by name."""
    found = {}
    with h5py.File(folder / "weights.hdf5", "r") as file:
        file.visit(lambda name: found.update({name: file[name]}))
        return {n: (a.shape, a[()].tobytes()) for n, a in found.items() if hasattr(a, "shape")}


def plain_elmo(folder):
    return [strict((folder / "options.json").read_bytes().decode()), elmo_arrays(folder)]


def same_elmo(found, plain):
    """The options are so, arrays are the library's, and none is new or of another shape."""

    def within(told, known):
        if isinstance(told, dict) and isinstance(known, dict):
            return all(within(value, known.get(key, value)) for key, value in told.items())
        if isinstance(told, list) and isinstance(known, list):
            return len(told) == len(known) and all(map(within, told, known))
        return (told or None) == (known or None) or told in (261, 262)

    return within(plain[0], found[0]) and plain[1] == found[1]


def make_fastai(folder):
    model = mb.AWDLSTM(mb.AWDLSTMConfig(len(WORDS), 4, 6, 2))
    own = model.state_dict()
    tensors = {"0.encoder.weight": own["embedding.weight"], "1.decoder.bias": own["decoder.bias"]}
    for i in range(2):
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            raw = "_raw" if part == "weight_hh" else ""
            tensors[f"0.rnns.{i}.module.{part}_l0{raw}"] = own[f"layers.{i}.{part}"]
    torch.save({name: t.clone() for name, t in tensors.items()}, folder / "m.pth")
    (folder / "m.pkl").write_bytes(pickle.dumps(WORDS, protocol=2))


def read_fastai(folder):
    tensors = awd_lstm.read_tensors(folder / "m.pth")
    awd_lstm.load_fastai(folder)
    return tables({n: t.float().numpy() for n, t in tensors.items()})


def plain_fastai(folder):
    """The numbers as they stand in the archive, whose checksums must hold."""
    with zipfile.ZipFile(folder / "m.pth") as archive:
        assert archive.testzip() is None
        stored = {i.filename.rsplit("/", 1)[1]: archive.read(i) for i in archive.infolist()}
    return stored


def same_fastai(found, stored):
    parts = set(stored.values())
    return all(data in parts for _, data in found.values())


def make_itos(folder):
    for protocol in range(6):
        words = [*WORDS, "xxfake", "xxfake", "naïve", "日本"]
        (folder / f"{protocol}.pkl").write_bytes(pickle.dumps(words, protocol=protocol))


def read_itos(folder):
    return [awd_lstm.read_itos(path) for path in sorted(folder.glob("*.pkl"))]


class _Plain(pickle.Unpickler):
    def find_class(self, module, name):
        raise ValueError(f"it asks for {module}.{name}")


def plain_itos(folder):
    return [
        _Plain(io.BytesIO(path.read_bytes()), encoding="ASCII").load()
        for path in sorted(folder.glob("*.pkl"))
    ]


def make_vectors(form, name):
    def make(folder):
        rng = np.random.default_rng(0)
        vectors.write(folder / name, WORDS, rng.normal(size=(len(WORDS), 5)), form)

    return make


def read_vectors(name):
    def read(folder):
        words, rows = vectors.read(folder / name)
        return [words, rows.tobytes()]

    return read


def plain_vectors(name):
    """Lines, or words and little-endian numbers, with a first line of two numbers or without."""

    def plain(folder):
        data = (folder / name).read_bytes()
        head, _, rest = data.partition(b"\n")
        shape = [int(one) for one in head.split()] if re.fullmatch(rb"[\d\s]+", head) else None
        shape, rest = (shape, rest) if shape and len(shape) == 2 else (None, data)
        width = shape[1] if shape else len(head.split()) - 1
        lines = [line.rsplit(None, width) for line in rest.split(b"\n") if line.strip()]
        try:
            words, rows = plain_lines(lines, width)
        except (ValueError, AssertionError):
            words, rows = plain_binary(rest, width)
        table = np.array(rows, np.float32)
        assert np.isfinite(table).all() and all(words)
        assert shape is None or list(table.shape) == shape
        first = {word: i for i, word in reversed(list(enumerate(words)))}
        kept = sorted(first.values())  # of a word that stands twice, the first
        return [[words[i] for i in kept], table[kept].tobytes()]

    return plain


def plain_lines(lines, width):
    assert all(len(line) == width + 1 and b"_" not in b"".join(line[1:]) for line in lines)
    with np.errstate(over="ignore"):
        rows = [np.array(fields, np.float64).astype(np.float32) for _, *fields in lines]
    return [word.decode() for word, *_ in lines], rows


def plain_binary(rest, width):
    words, rows = [], []
    while rest.strip(b"\n"):
        word, _, rest = rest.partition(b" ")
        words.append(word.lstrip(b"\n").decode())
        rows.append(np.frombuffer(rest[: 4 * width], "<f4"))
        rest = rest[4 * width :]
    return words, rows


# Data sets


def text_of(packed):
    return lambda folder: packed((folder / "d").read_bytes()).decode("utf-8-sig")


def make_data(text):
    return lambda folder: (folder / "d").write_text(text, "utf-8")


def lines_of(folder):
    text = (folder / "d").read_bytes().decode("utf-8-sig")
    lines = text.split("\n")
    return [one.rstrip("\r") for one in (lines[:-1] if lines[-1] == "" else lines)]


def labelled(folder):
    found = readers.polarity(None, [Source(folder / "d")])
    return [found.texts, found.labels, found.folds]


def plain_labelled(folder):
    rows = [strict(line) for line in lines_of(folder) if line.strip()]
    assert all(type(row["label"]) is int and row["label"] in (0, 1) for row in rows)
    folds = [row.get("fold") for row in rows]
    folds = None if folds[0] is None else folds
    return [[row["text"] for row in rows], [row["label"] for row in rows], folds]


def inference(folder):
    found = readers.inference(None, [Source(folder / "d")])
    return [[one.text, one.text_b, one.label] for one in found]


def plain_inference(folder):
    rows = [strict(line) for line in lines_of(folder) if line.strip()]
    rows = [[row["premise"], row["hypothesis"], row["label"]] for row in rows]
    assert all(isinstance(value, str) for row in rows for value in row)
    assert all(row[2] in ("entailment", "neutral", "contradiction", "-") for row in rows)
    return [row for row in rows if row[2] != "-"]


def tagged(folder):
    found = readers.tagged(None, [Source(folder / "d")] * 2)
    return [[list(one.tokens), list(one.labels)] for one in found.train]


def plain_tagged(folder):
    found, rows, columns = [], [], None
    tabs = any("\t" in line for line in lines_of(folder))
    for line in [*lines_of(folder), ""]:
        line = line.rstrip(" \t")
        if line.strip(" ") in ("",) or line.strip(" \t").startswith("-DOCSTART-"):
            found, rows = [*found, rows] if rows else found, []
            continue
        if line.strip(" ").startswith("# ") and "\t" not in line:
            parts = line.split()
            if tabs or (columns and len(parts) != columns):
                continue
            if not columns and not re.fullmatch("O|[BI]-.+", parts[-1]):
                continue
        tabbed = "\t" in line.strip(" \t")
        parts = line.split("\t") if tabbed else re.sub(" +", " ", line).split(" ")
        columns = columns or len(parts)
        assert len(parts) == columns > 1 and parts[0].strip(" ")
        assert re.fullmatch("O|[BI]-.+", parts[-1])
        before = rows[-1][1] if rows else "O"
        begins = parts[-1][0] == "I" and before[1:] != parts[-1][1:]
        rows.append((parts[0].strip(" "), "B" + parts[-1][1:] if begins else parts[-1]))
    return [[[word for word, _ in rows], [tag for _, tag in rows]] for rows in found]


def squad(folder):
    found = readers.squad(None, [Source(folder / "d")])
    return [[q.text, q.text_b, q.span and list(q.span), list(q.info["answers"])] for q in found]


def plain_squad(folder):
    content = strict("\n".join(lines_of(folder)))
    found = []
    for article in content["data"]:
        assert isinstance(article["title"], str)
        for part in article["paragraphs"]:
            for one in part["qas"]:
                answers = [] if one.get("is_impossible") else one["answers"]
                best = ([a for a in answers if not a.get("ambiguous")] or answers)[:1]
                span = [[a["answer_start"], a["answer_start"] + len(a["text"])] for a in best]
                assert all(a >= 0 and part["context"][a:b].strip() for a, b in span)
                for a in answers:
                    assert part["context"][a["answer_start"] :].startswith(a["text"])
                left = [[part["context"][a], a, b] for a, b in span]
                while left and left[0][0].isspace():
                    left = [[part["context"][a + 1], a + 1, b] for _, a, b in left]
                while left and part["context"][left[0][2] - 1].isspace():
                    left[0][2] -= 1
                span = [[a, b] for _, a, b in left]
                texts = [a["text"] for a in answers]
                assert all(isinstance(t, str) for t in [*texts, part["context"], one["question"]])
                found.append([part["context"], one["question"], span[0] if span else None, texts])
    return found


def similarity(folder):
    found = readers.similarity(None, [Source(folder / "d")])
    return [[*pair, score] for pair, score in zip(found.pairs, found.scores.tolist(), strict=True)]


def plain_similarity(folder):
    rows = [[one.strip() for one in line.split("\t")] for line in lines_of(folder) if line.strip()]
    assert all(len(row) == 3 and all(row) and "_" not in row[2] for row in rows)
    assert np.isfinite([float(row[2]) for row in rows]).all()
    return [[a, b, float(score)] for a, b, score in rows]


def analogies(folder):
    sections = readers.analogies(None, [Source(folder / "d")]).sections
    return {name: [list(four) for four in fours] for name, fours in sections.items()}


def plain_analogies(folder):
    found, last = {}, None
    for line in lines_of(folder):
        if line[:1] == ":":
            last = found.setdefault(line[1:].strip(), [])
        elif line.strip():
            assert len(line.split()) == 4
            last.append(line.split())
    return found


# A reader's own files


TABLE = 'text,label,n\n"Good, ""new"" é",yes,1\n"two\nlines",no,2\n\nbad , no ,3\n'
TREE = "# text = de le\n1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_\n"
for row in ("1\tde\t_\tADP", "2\tle\t_\tDET", "2.1\té\t_\tVERB"):
    TREE += row + "\t_" * 6 + "\n"
TREE += "\n" + TREE


def own(kind):
    def read(folder):
        found = own_files.read(folder / "d", kind) if kind else own_files.read(folder / "d.conllu")
        return [[e.text, e.label] if kind else [list(e.tokens), list(e.labels)] for e in found]

    return read


def cells(text, mark):
    """The rows of a table, letter by letter."""
    rows, row, cell, state = [], [], "", "start"
    for letter in text:
        if state == "quoted":
            state, cell = ("closing", cell) if letter == '"' else (state, cell + letter)
        elif letter == '"' and state == "closing":
            state, cell = "quoted", cell + '"'
        elif letter in (mark, "\n"):
            row, cell, state = [*row, cell], "", "start"
            rows, row = ([*rows, row], []) if letter == "\n" else (rows, row)
        else:
            assert state != "closing" and letter != "\r"
            state, cell = (
                ("quoted", cell) if (letter, state) == ('"', "start") else ("bare", cell + letter)
            )
    assert state == "start"
    return [row for row in rows if any(one.strip() for one in row)]


def plain_table(folder):
    lines = [line.rstrip("\r") for line in lines_of(folder)]
    head = next(line for line in lines if line.strip())
    marks = [m for m in ",;\t" if {"text", "label"} <= {n.strip(' "') for n in head.split(m)}]
    header, *rows = cells("\n".join(lines) + "\n", (*marks, ",")[0])
    names = [name.strip() for name in header]
    text, label = names.index("text"), names.index("label")
    assert names.count("text") == names.count("label") == 1 and rows
    assert all(len(row) == len(names) and row[text].strip() for row in rows)
    assert "other" not in names and len({row[label].strip() for row in rows} - {""}) > 1
    assert all(row[label].strip() not in ("", "null") for row in rows)
    return [[row[text], row[label].strip()] for row in rows]


def plain_conllu(folder):
    (folder / "d").write_bytes((folder / "d.conllu").read_bytes())
    found, rows = [], []
    for line in [*lines_of(folder), ""]:
        fields = line.split("\t")
        if not line.strip():
            found, rows = [*found, rows] if rows else found, []
        elif line[0] != "#":
            assert len(fields) == 10 and all(one.strip() for one in fields)
            if fields[0].isdecimal():
                assert int(fields[0]) == len(rows) + 1 and fields[3] != "_"
                rows.append((fields[1], fields[3]))
            else:
                assert re.fullmatch(r"\d+[-.]\d+", fields[0])
    assert len({tag for rows in found for _, tag in rows}) > 1
    return [[[word for word, _ in rows], [tag for _, tag in rows]] for rows in found]


# Our own files


def make_checkpoint(folder):
    checkpoints = checkpoint.Checkpoints(folder / "run")
    checkpoints.save(1, {"w": torch.ones(3)}, {"x": [torch.ones(2)]}, {"note": "one"})


def read_checkpoint(folder):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = checkpoint.Checkpoints(folder / "run").load()
    if found is None:
        raise ValueError("no checkpoint here is whole")
    return [found[0]["w"].tolist(), found[1]["x"][0].tolist(), found[2]]


def plain_checkpoint(folder):
    """Whatever is accepted is what was written: there are checksums."""
    return [[1.0] * 3, [1.0] * 2, {"step": 1, "note": "one"}]


def make_findings(folder):
    runs = {str(seed): {"values": {"a": 0.5 + seed, "b": [1, 2]}} for seed in range(3)}
    (folder / "findings").mkdir()
    content = {"chapter": "01", "experiments": {"e": {"config": {}, "seeds": runs}}}
    (folder / "findings" / "01.json").write_text(json.dumps(content, indent=1))


def read_findings(folder):
    found = finding.findings("01", folder)
    return {name: [found.seeds(name), found.values(name)] for name in found.names()}


def plain_findings(folder):
    content = strict((folder / "findings" / "01.json").read_bytes().decode())["experiments"]
    found = {}
    for title, one in content.items():
        runs = sorted((int(seed), run["values"]) for seed, run in one["seeds"].items())
        for name in next(iter(one["seeds"].values()))["values"]:
            values = [values[name] for _, values in runs]
            found[f"{title}.{name}"] = [[seed for seed, _ in runs], values]
    return found


def make_progress(folder):
    entry = {"best": 2, "last": "2026-01-01T00:00:00", "of": 2, "status": "right", "tries": 1}
    content = {"version": 1, "exercises": {"01.a": entry, "01.b": entry}}
    (folder / "progress.json").write_text(json.dumps(content, indent=1))


def read_progress(folder):
    """The reader keeps a file that it cannot read aside, and begins anew: that is a refusal."""
    original, aside = record.file, []
    record.file = lambda: folder / "progress.json"
    try:
        record.print = lambda text: aside.append(text)
        found = record.read()
    finally:
        record.file = original
        del record.print
    if aside:
        (folder / "progress.json").unlink(missing_ok=True)
        raise ValueError(aside[0])
    return found


def plain_progress(folder):
    path = folder / "progress.json"
    found = strict(path.read_bytes().decode())["exercises"]
    assert all("status" in entry for entry in found.values())
    return found


# Packed files and archives

TEXT = "= One =\nA paragraph.\nAnother é.\n= Two =\nA third.\n"
MEMBERS = {"x/one.txt": TEXT.encode(), "two.txt": b"22", "x/three.txt": bytes(range(256))}


def make_packed(pack, name):
    return lambda folder: (folder / name).write_bytes(pack(TEXT.encode() * 20))


def read_text(name):
    return lambda folder: list(mb.data.load(folder / name).lines())


def plain_text(unpack, name):
    def plain(folder):
        text = unpack((folder / name).read_bytes()).decode("utf-8-sig")
        lines = text.split("\n")
        return [one.rstrip("\r") for one in (lines[:-1] if lines[-1] == "" else lines)]

    return plain


def make_zip(folder):
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in MEMBERS.items():
            archive.writestr(name, data)


def make_tar(mode, name):
    def make(folder):
        with tarfile.open(folder / name, mode) as archive:
            for member, data in MEMBERS.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))

    return make


def read_members(name):
    def read(folder):
        found = list(Source(folder / name).members())
        assert all(".." not in n and not n.startswith("/") and ":" not in n for n, _ in found)
        return found

    return read


def plain_zip(folder):
    with zipfile.ZipFile(folder / "a.zip") as archive:
        return [(i.filename, archive.read(i)) for i in archive.infolist() if not i.is_dir()]


def same_members(found, plain):
    """The same data; names as written but for what a path leaves out, such as ``./``."""
    tidy = [(re.sub(r"/+", "/", re.sub(r"(^|/)(\./)+", r"\1", n.replace("\\", "/"))), d)
            for n, d in plain]  # fmt: skip
    return [d for _, d in found] == [d for _, d in tidy] and all(
        a == b.rstrip("/.") or a == b for (a, _), (b, _) in zip(found, tidy, strict=True)
    )


def plain_tar(name):
    def plain(folder):
        with tarfile.open(folder / name) as archive:
            return [(i.name, archive.extractfile(i).read()) for i in archive if i.isfile()]

    return plain


ROWS = [{"text": word, "label": i % 2, "fold": i} for i, word in enumerate(WORDS)]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)
PAIRS = "".join(
    json.dumps({"premise": a, "hypothesis": b, "label": c}) + "\n"
    for a, b, c in zip(WORDS, WORDS[1:], [*readers.INFERENCE, "-"] * 3, strict=False)
)
CONLL = "The O\ncat B-ANIMAL\n\nAnna\tB-PER\nran O\nto O\nNew B-LOC\nYork I-LOC\n"
QUESTION = {
    "id": "1", "question": "Who sat?", "answers": [{"text": "cat", "answer_start": 4}],
}  # fmt: skip
NONE = {"id": "2", "question": "Why?", "is_impossible": True, "answers": []}
SQUAD = json.dumps(
    {"data": [{"title": "T", "paragraphs": [{"context": "The cat sat.", "qas": [QUESTION, NONE]}]}]}
)
PAIRED = "".join(f"{a}\t{a}s\t{i / 2}\n" for i, a in enumerate(WORDS))
FOURS = ": capitals\nAthens Greece Oslo Norway\na b c d\n: gram1\nbig bigger old older\n"

STEP = ("model.safetensors", "training.pt", "record.json", "SHA256SUMS")
BOTH = ("config.json", "model.safetensors")
HF_BERT = bert.FIELDS
HF_GPT = gpt.FIELDS
SIZES = """vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size
max_position_embeddings n_embd n_layer n_head n_positions""".split()
SAME = {
    "BERT folder": same_published, "GPT folder": same_published, "word2vec folder": same_folder,
    "AWD-LSTM folder": same_folder, "ELMo": same_elmo, "fastai .pth": same_fastai,
    "zip": same_members, "tar": same_members, "tar.gz": same_members, "tar.xz": same_members,
}  # fmt: skip

FORMATS = [
    Format("world lexicon", make_lexicon, read_lexicon, plain_lexicon, ("a.toml",)),
    Format("vocabulary", make_vocab, read_vocab, plain_vocab, ("vocab.tsv",)),
    Format("WordPiece", make_wordpiece, lambda f: WordPiece.load(f / "vocab.txt").tokens,
           plain_wordpiece, ("vocab.txt",)),
    Format("BPE of words", make_bpe("words"), read_bpe, plain_bpe, ("vocab.json", "merges.txt")),
    Format("BPE of bytes", make_bpe("bytes"), read_bpe, plain_bpe, ("vocab.json", "merges.txt")),
    Format("safetensors", make_tensors, read_tensors, plain_tensors, ("m.safetensors",)),
    Format("BERT folder", make_bert, read_model(bert.load), plain_published(HF_BERT, SIZES),
           (*BOTH, "vocab.txt", "tokenizer_config.json")),
    Format("GPT folder", make_gpt, read_model(gpt.load), plain_published(HF_GPT, SIZES),
           (*BOTH, "vocab.json", "merges.txt")),
    Format("word2vec folder", make_word2vec, read_folder(word2vec.load), plain_folder, BOTH),
    Format("AWD-LSTM folder", make_awd_lstm, read_folder(awd_lstm.load), plain_folder, BOTH),
    Format("ELMo", make_elmo, read_elmo, plain_elmo, ("options.json", "weights.hdf5")),
    Format("fastai .pth", make_fastai, read_fastai, plain_fastai, ("m.pth",)),
    Format("fastai itos", make_itos, read_itos, plain_itos, tuple(f"{i}.pkl" for i in range(6))),
    Format("word2vec text", make_vectors("text", "v.txt"), read_vectors("v.txt"),
           plain_vectors("v.txt"), ("v.txt",)),
    Format("word2vec binary", make_vectors("binary", "v.bin"), read_vectors("v.bin"),
           plain_vectors("v.bin"), ("v.bin",)),
    Format("GloVe", make_vectors("glove", "v.txt"), read_vectors("v.txt"),
           plain_vectors("v.txt"), ("v.txt",)),
    Format("JSONL labels", make_data(JSONL), labelled, plain_labelled, ("d",)),
    Format("JSONL pairs", make_data(PAIRS), inference, plain_inference, ("d",)),
    Format("CoNLL", make_data(CONLL), tagged, plain_tagged, ("d",)),
    Format("SQuAD", make_data(SQUAD), squad, plain_squad, ("d",)),
    Format("word pairs", make_data(PAIRED), similarity, plain_similarity, ("d",)),
    Format("analogies", make_data(FOURS), analogies, plain_analogies, ("d",)),
    Format("table", make_data(TABLE), own("text"), plain_table, ("d",)),
    Format("CoNLL-U", lambda f: (f / "d.conllu").write_text(TREE, "utf-8"), own(None),
           plain_conllu, ("d.conllu",)),
    Format("checkpoint", make_checkpoint, read_checkpoint, plain_checkpoint,
           tuple(f"run/step-00000001/{n}" for n in STEP)),
    Format("findings", make_findings, read_findings, plain_findings, ("findings/01.json",)),
    Format("progress", make_progress, read_progress, plain_progress, ("progress.json",)),
    Format("plain text", make_packed(bytes, "t.txt"), read_text("t.txt"),
           plain_text(bytes, "t.txt"), ("t.txt",)),
    Format("xz", make_packed(lzma.compress, "t.xz"), read_text("t.xz"),
           plain_text(lzma.decompress, "t.xz"), ("t.xz",)),
    Format("gz", make_packed(gzip.compress, "t.gz"), read_text("t.gz"),
           plain_text(gzip.decompress, "t.gz"), ("t.gz",)),
    Format("zip", make_zip, read_members("a.zip"), plain_zip, ("a.zip",)),
    Format("tar", make_tar("w", "a.tar"), read_members("a.tar"), plain_tar("a.tar"), ("a.tar",)),
    Format("tar.gz", make_tar("w:gz", "a.tar.gz"), read_members("a.tar.gz"),
           plain_tar("a.tar.gz"), ("a.tar.gz",)),
    Format("tar.xz", make_tar("w:xz", "a.tar.xz"), read_members("a.tar.xz"),
           plain_tar("a.tar.xz"), ("a.tar.xz",)),
]  # fmt: skip
