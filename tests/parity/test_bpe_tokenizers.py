"""BPE beside Hugging Face's tokenizers, with OpenAI's published files: ids, and decoding."""

import lzma
import os
from functools import partial
from itertools import islice

import pytest
from hypothesis import given
from sample_texts import agree, anything, files, mixed, texts

from minibert import world
from minibert.text import BPE, basic

hf = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

FILES = {
    "words": ("gpt1_encoder_bpe_40000.json.xz", "gpt1_vocab_40000.bpe.xz"),
    "bytes": ("gpt2_encoder.json.xz", "gpt2_vocab.bpe.xz"),
}


def theirs_of(ours):
    """Their tokenizer with our vocabulary, put together as `transformers` does."""
    if ours.kind == "bytes":
        theirs = hf.Tokenizer(hf.models.BPE(dict(ours.ids), ours.merges))
        theirs.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
        theirs.decoder = hf.decoders.ByteLevel()
        return theirs
    model = hf.models.BPE(
        dict(ours.ids), ours.merges, unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=False
    )
    theirs = hf.Tokenizer(model)
    theirs.normalizer = hf.normalizers.BertNormalizer(lowercase=True)
    theirs.pre_tokenizer = hf.pre_tokenizers.BertPreTokenizer()
    return theirs


@pytest.fixture(scope="session", params=FILES)
def both(request, data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    for name in FILES[request.param]:
        packed = (data_dir / "tokenizers" / name).read_bytes()
        (folder / name.removesuffix(".xz")).write_bytes(lzma.decompress(packed))
    ours = BPE.load(*(folder / name.removesuffix(".xz") for name in FILES[request.param]))
    return ours, theirs_of(ours)


def differences(both, some):
    ours, theirs = both
    some = list(some)
    found = theirs.encode_batch(some, add_special_tokens=False)
    return [text for text, right in zip(some, found, strict=True) if ours.encode(text) != right.ids]


@pytest.mark.data
def test_the_kinds_and_sizes(both):
    ours, _ = both
    expected = {"words": (40_478, 40_000), "bytes": (50_257, 50_000)}
    assert (len(ours), len(ours.merges)) == expected[ours.kind]


@pytest.mark.data
@pytest.mark.parametrize("name", files())
def test_the_beginning_of_every_file(both, data_dir, name):
    assert agree(partial(differences, both), islice(texts(data_dir / name), 150))


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", files())
def test_every_line_of_every_file(both, data_dir, name):
    number = agree(partial(differences, both), texts(data_dir / name))
    print(f"{name}: {number:,} texts, no difference", end=" ")


@pytest.mark.data
@given(text=mixed.map("".join) | mixed.map(" ".join) | anything)
def test_made_up_text(both, text):
    assert not differences(both, [text])


@pytest.mark.data
@given(text=mixed.map("".join) | mixed.map(" ".join) | anything)
def test_bytes_give_every_text_back(both, text):
    ours, theirs = both
    if ours.kind == "bytes":
        assert ours.decode(ours.encode(text)) == text
    else:
        known = basic.join(basic.words(ours.decode(ours.encode(text))))
        assert ours.decode(ours.encode(known)) == known


@pytest.mark.data
@pytest.mark.parametrize("ids", [[0], [188, 222], [447, 250], list(range(200))])
def test_bytes_cut_within_a_letter_are_decoded_as_theirs(both, ids):
    ours, theirs = both
    if ours.kind == "bytes":
        assert ours.decode(ids) == theirs.decode(ids)


def test_training_on_prose_learns_nearly_what_their_trainer_learns():
    prose = [document.text for document in world.generate(tokens=30_000, seed=0).documents]
    theirs = hf.Tokenizer(hf.models.BPE())
    theirs.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = hf.pre_tokenizers.ByteLevel.alphabet()
    trainer = hf.trainers.BpeTrainer(
        vocab_size=1_000, min_frequency=2, initial_alphabet=alphabet, show_progress=False
    )
    theirs.train_from_iterator(prose, trainer)
    ours = BPE.train(prose, 1_000)
    shared = set(ours.tokens) & set(theirs.get_vocab())
    assert len(shared) >= 980, f"only {len(shared)} of 1,000 tokens are shared"
    assert not differences((ours, theirs_of(ours)), prose)
