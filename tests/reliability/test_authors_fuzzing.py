"""TensorFlow's checkpoints, damaged everywhere: one sentence, or what the whole file says.

A checksum stops most damage. So the index is also damaged and sealed again, and made by hand to be
as hostile as it can be with all checksums right.
"""

import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from guard import apart
from mutations import damaged

import minibert as mb
from minibert.storage.crc32c import slow_crc32c
from minibert.storage.tensor_bundle import TensorBundle

FILES = Path(__file__).parents[1] / "parity/fixtures/authors"
REFUSED = ("sliced", "complex", "text")  # of the fixture "kinds": no numbers to be had
INDEX, DATA = "kinds.index", "kinds.data-00000-of-00001"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and resource limits")


def contents(folder):
    """All tensors of the fixture by name, or the sentence that refuses each."""
    bundle, found = TensorBundle(folder / "kinds"), {}
    for name in bundle:
        try:
            array = bundle[name]
            found[name] = (array.dtype.name, array.shape, array.tobytes())
        except ValueError as error:
            found[name] = sentence(error)
    return found


def sentence(error):
    assert "\n" not in str(error) and 20 < len(str(error)) < 500, str(error)
    return str(error)


def copied(folder):
    shutil.copytree(FILES / "kinds", folder, dirs_exist_ok=True)
    return folder, (folder / INDEX).read_bytes(), (folder / DATA).read_bytes()


def numbers(found):
    return {name: told for name, told in found.items() if name not in REFUSED}


@pytest.mark.long
def test_every_bit_and_every_length_of_the_index(tmp_path):
    folder, index, _ = copied(tmp_path)

    def attempt(watch):
        right, counts = numbers(contents(folder)), {"refused": 0, "same": 0}
        flipped = (
            index[:i] + bytes([index[i] ^ 1 << bit]) + index[i + 1 :]
            for i in range(len(index))
            for bit in range(8)
        )
        for bad in (*flipped, *(index[:i] for i in range(len(index)))):
            (folder / INDEX).write_bytes(bad)
            with watch:
                try:
                    found = contents(folder)
                except ValueError as error:
                    sentence(error)
                    counts["refused"] += 1
                    continue
            assert numbers(found) == right  # such as a bit of the padding
            counts["same"] += 1
        return counts

    counts = apart(attempt)
    assert counts["refused"] > 8 * (len(index) - 48)  # all that has a checksum, and more


@pytest.mark.long
def test_every_byte_of_the_data(tmp_path):
    folder, _, data = copied(tmp_path)

    def attempt(watch):
        right, hit = numbers(contents(folder)), 0
        for i in range(len(data)):
            (folder / DATA).write_bytes(data[:i] + bytes([data[i] ^ 0x10]) + data[i + 1 :])
            with watch:
                found = numbers(contents(folder))
            wrong = [name for name in right if found[name] != right[name]]
            assert len(wrong) <= 1  # none, where it is part of what is refused anyway
            assert all(found[n].startswith(f"the checksum of {n} in ") for n in wrong)
            hit += len(wrong)
        return {"hit": hit}

    own = sum(len(told[2]) for name, told in numbers(contents(folder)).items())
    halves = sum(len(numbers(contents(folder))[name][2]) // 2 for name in ("half", "brain"))
    assert apart(attempt)["hit"] == own - halves  # each byte that stands for a number


def test_data_cut_short_is_refused(tmp_path):
    folder, _, data = copied(tmp_path)
    for length in range(0, len(data), 7):
        (folder / DATA).write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"is cut short: .* ends at byte [\d,]+ of") as error:
            contents(folder)
        sentence(error.value)


# An index with checksums that are right


ONE_RESTART = bytes(4) + (1).to_bytes(4, "little")  # how a block ends: the first key is in full


def varint(value):
    found = b""
    while value > 0x7F:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def sealed(block, packed=0):
    """A block with its trailer."""
    rest = slow_crc32c(block + bytes([packed]))
    rest = ((rest >> 15 | rest << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return block + bytes([packed]) + rest.to_bytes(4, "little")


def block(pairs):
    """A block with each key in full."""
    data = b"".join(
        b"\0" + varint(len(key)) + varint(len(value)) + key + value for key, value in pairs
    )
    return data + ONE_RESTART


def table(*blocks, packed=0, repeat=1):
    """A whole index of these blocks (bytes), each mentioned ``repeat`` times."""
    data, places = b"", []
    for one in blocks:
        places += [varint(len(data)) + varint(len(one))] * repeat
        data += sealed(one, packed)
    places = block([(b"%06d" % i, place) for i, place in enumerate(places)])
    footer = b"\0\0" + varint(len(data)) + varint(len(places))
    magic = 0xDB4775248B80FB57.to_bytes(8, "little")
    return data + sealed(places) + footer.ljust(40, b"\0") + magic


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value & (1 << 64) - 1)


HEADER = field(1, 1) + field(3, field(1, 1))


def entry(shape=(2,), kind=1, offset=0, size=8, shard=0, more=b""):
    dims = b"".join(field(2, field(1, dim)) for dim in shape)
    numbers = field(1, kind) + field(2, dims) + field(3, shard) + field(4, offset)
    masked = (slow_crc32c(bytes(8)) >> 15 | slow_crc32c(bytes(8)) << 17) + 0xA282EAD8 & 0xFFFFFFFF
    return numbers + field(5, size) + varint(6 << 3 | 5) + masked.to_bytes(4, "little") + more


def write(folder, index):
    (folder / DATA).write_bytes(bytes(8))
    (folder / INDEX).write_bytes(index)
    return TensorBundle(folder / "kinds")


def test_an_index_made_by_hand_is_read(tmp_path):
    bundle = write(tmp_path, table(block([(b"", HEADER), (b"a", entry())])))
    assert bundle["a"].tolist() == [0, 0]
    bundle = write(tmp_path, table(block([(b"", HEADER)]), block([(b"a", entry((1, 2)))])))
    assert bundle["a"].tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (lambda: table(block([(b"", HEADER)]), packed=1), "compressed by snappy"),
        (lambda: table(block([(b"", HEADER)]), packed=7), "packed in an unknown way, 7"),
        (lambda: table(block([])), "its first record is no header"),
        (lambda: table(block([(b"a", entry())])), "its first record is no header"),
        (lambda: table(block([(b"", HEADER + field(2, 1))])), "big-endian"),
        (lambda: table(block([(b"", field(1, 3))])), "lie in 3 data files; expected one"),
        (lambda: table(block([(b"", HEADER + field(3, field(2, 2)))])), "has version 2"),
        (lambda: table(block([(b"", HEADER), (b"b", entry()), (b"a", entry())])), "not in order"),
        (lambda: table(block([(b"", HEADER), (b"\xff", entry())])), "decode byte 0xff"),
        (lambda: table(block([(b"", HEADER), (b"a", b""), (b"a", b"")])), "not in order"),
        (lambda: table(b"\0\0\x7f" + HEADER + ONE_RESTART), "reaches beyond its block"),
        (lambda: table(b"\5\0" + varint(len(HEADER)) + HEADER + ONE_RESTART), "beyond its block"),
        (lambda: table(b"\0\0\0" + (9).to_bytes(4, "little")), "too short for its list"),
        (lambda: table(b"\0\0"), "too short for its list"),
        (lambda: table(block([(b"", HEADER), (b"n" * 2000, entry())])), "its name is too long"),
    ],
)
def test_an_index_that_this_reader_cannot_follow(index, message, tmp_path):
    with pytest.raises(ValueError, match=f"kinds.index cannot be read: .*{message}") as error:
        write(tmp_path, index())
    sentence(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shape": (-2,)}, "field 1 of a record is negative"),
        ({"shape": (1 << 62, 0), "size": 0}, "a shape in it cannot be"),
        ({"shape": (1,) * 40}, "a shape in it cannot be"),
        ({"shape": (1 << 40, 1 << 40), "size": 8}, "which cannot be"),
        ({"size": 4}, "which cannot be"),
        ({"offset": 4}, "is cut short: a ends at byte 12 of 8"),
        ({"size": 1 << 60, "shape": (1 << 40, 1 << 18)}, "is cut short"),
        ({"offset": -8}, "field 4 of a record is negative"),
        ({"shard": 1}, "lies in the data file 1"),
        ({"more": b"\x0b"}, "unknown way 3"),
        ({"more": field(2, 5)}, "field 2 of a record is not stored as it should be"),
        ({"more": b"\xff" * 12}, "a number in it has no end"),
        ({"more": b"\x12\x7f"}, "a field reaches beyond its record"),
    ],
)
def test_a_record_that_cannot_be(given, message, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        write(tmp_path, table(block([(b"", HEADER), (b"a", entry(**given))])))
    sentence(error.value)


def test_two_tensors_never_share_numbers(tmp_path):
    with pytest.raises(ValueError, match="b of shape .* has 8 bytes at 0, which cannot be"):
        write(tmp_path, table(block([(b"", HEADER), (b"a", entry()), (b"b", entry())])))


def test_a_kind_of_no_numbers_is_refused_when_it_is_asked_for(tmp_path):
    bundle = write(tmp_path, table(block([(b"", HEADER), (b"a", entry(kind=99))])))
    with pytest.raises(ValueError, match="^a in .* is of the unknown kind 99; expected numbers"):
        bundle["a"]


def test_small_files_cannot_ask_for_much_memory(tmp_path):
    """One block named ten thousand times; names that share all their letters but one."""
    big = block([(b"%06d" % i, bytes(40)) for i in range(2000)])
    grown = b"\0" + varint(1000) + b"\0" + b"n" * 1000
    grown += b"".join(varint(1000) + b"\x01\0" + bytes([1 + i % 250]) for i in range(20_000))
    indices = [table(big, repeat=10_000), table(grown + bytes(4) + b"\1\0\0\0")]

    def attempt(watch):
        for index in indices:
            with watch, pytest.raises(ValueError, match="kinds.index cannot be read"):
                write_quietly(tmp_path, index, watch)
        return {}

    assert apart(attempt)["megabytes"] < 100


def write_quietly(folder, index, watch):
    watch.on = False  # writing is ours
    (folder / DATA).write_bytes(bytes(8))
    (folder / INDEX).write_bytes(index)
    watch.on = True
    TensorBundle(folder / "kinds")


@pytest.mark.parametrize("count", [400, pytest.param(8_000, marks=pytest.mark.slow)])
def test_damaged_and_sealed_again(count, tmp_path):
    """Blocks that are damaged and have the checksum of what they are: a sentence, or numbers."""
    folder, index, data = copied(tmp_path)
    inside = index[: len(index) - 48]
    size = next(n for n in range(len(inside)) if inside.startswith(sealed(inside[:n])))
    first = inside[:size]

    def attempt(watch):
        said = {"refused": 0, "read": 0}
        for seed in range(count):
            bad = damaged(random.Random(seed), first, [data, index])
            (folder / INDEX).write_bytes(table(bad))
            with watch:
                try:
                    contents(folder)
                    said["read"] += 1
                except ValueError as error:
                    sentence(error)
                    said["refused"] += 1
        return said

    assert apart(attempt)["refused"] > count / 2


GPT_FILES = ("params_shapes.json", "params_0.npy", "params_9.npy", "encoder_bpe_40000.json")
FOLDERS = {
    "google": (mb.BERT, ("bert_config.json", "bert_model.ckpt.index", "vocab.txt",
                         "bert_model.ckpt.data-00000-of-00001")),
    "gpt-2": (mb.GPT, ("hparams.json", "model.ckpt.index", "encoder.json", "vocab.bpe",
                       "checkpoint", "model.ckpt.data-00000-of-00001")),
    "gpt": (mb.GPT, (*GPT_FILES, "vocab_40000.bpe")),
}  # fmt: skip


def make_gpt(folder, width=4):
    """OpenAI's ten files for one layer."""
    rng, layer = np.random.default_rng(0), []
    for shape in ([1, width, 3 * width], [1, width, width], [width], [1, width, 4 * width]):
        layer += [shape, shape[-1:]]
    layer += [[1, 4 * width, width], [width], [width], [width]]
    shapes = [[6, width], [3, width], *layer]
    row = rng.normal(0, 0.2, sum(int(np.prod(s)) for s in shapes)).astype(np.float32)
    for i, part in enumerate(np.array_split(row, 10)):
        np.save(folder / f"params_{i}.npy", part)
    (folder / "params_shapes.json").write_text(str(shapes))
    (folder / "encoder_bpe_40000.json").write_text('{"<unk>": 0, "a</w>": 1, "b</w>": 2}')
    (folder / "vocab_40000.bpe").write_text("#version: 0.2\n")


@pytest.mark.parametrize("each", [12, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize("where", FOLDERS)
def test_damaged_folders(where, each, tmp_path):
    if where == "gpt":
        make_gpt(tmp_path)
    else:
        shutil.copytree(FILES / where, tmp_path, dirs_exist_ok=True)
    model, names = FOLDERS[where]
    good = {name: (tmp_path / name).read_bytes() for name in names}
    right = model.from_pretrained(tmp_path).state_dict()

    def attempt(watch):
        said = {"refused": 0, "read": 0}
        for name in names:
            for seed in range(each):
                bad = damaged(random.Random(seed), good[name], list(good.values()))
                (tmp_path / name).write_bytes(bad)
                with watch:
                    try:
                        found = model.from_pretrained(tmp_path).state_dict()
                        assert {n: t.shape for n, t in found.items()} == {
                            n: t.shape for n, t in right.items()
                        }
                        said["read"] += 1
                    except (ValueError, FileNotFoundError) as error:
                        assert "\n" not in str(error), str(error)
                        said["refused"] += 1
            (tmp_path / name).write_bytes(good[name])
        return said

    assert apart(attempt)["refused"] > 0
