"""Published weights, where they are here: MiniLM beside transformers, GloVe beside its release."""

import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from sample_texts import texts

import minibert as mb

pytestmark = pytest.mark.long
TEXTS = [
    "The cat sat on the mat.",
    "Zürich's naïve café costs €3.50 (or £2)!",
    "東京 is unaffable; so are don't, e-mail and 🙂.",
    "a\u0301 e\u0301 \u00a0 \u200b \ufeff x\ty\nz",
    "[CLS] [MASK] [SEP] [PAD] [UNK] [unused1]",
    "w" * 250,
    "",
]


@pytest.fixture(scope="module")
def minilm(weights_of):
    folder = weights_of("all-minilm-l6-v2")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    theirs = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return mb.BERT.from_pretrained("all-minilm-l6-v2"), theirs, tokenizer


def test_minilm_is_what_it_says(minilm):
    ours, _, _ = minilm
    assert sum(p.numel() for p in ours.parameters()) == 22_713_216
    assert (ours.config.layers, ours.config.dim, ours.config.heads) == (6, 384, 12)
    assert len(ours.tokenizer) == 30_522 and ours.tokenizer.lowercase


def test_minilms_ids_are_those_of_transformers(minilm):
    ours, _, tokenizer = minilm
    lines = TEXTS[:4] + TEXTS[5:]  # in the other one, special tokens are meant as such
    data = Path(os.environ.get("MINIBERT_DATA") or "/nowhere") / "wikitext2_valid.txt.xz"
    if data.is_file():
        lines += islice(texts(data), 2000)
    for text in lines:
        wanted = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert list(ours.tokenizer.encode(text)) == wanted, text[:80]


@torch.no_grad()
def test_minilms_states_are_those_of_transformers(minilm):
    ours, theirs, tokenizer = minilm
    pairs = [(TEXTS[0], None), (TEXTS[1], None), (TEXTS[2], TEXTS[0]), ("a", "b " * 200)]
    first, second = [a for a, _ in pairs], [b or "" for _, b in pairs]
    batch = tokenizer(first, second, padding=True, return_tensors="pt")
    wanted = theirs(**batch, output_hidden_states=True)
    found = ours(**batch)
    real = batch["attention_mask"].bool()
    assert len(found.hidden_states) == len(wanted.hidden_states) == 7
    differences = [
        float((a - b)[real].abs().max())
        for a, b in zip(found.hidden_states, wanted.hidden_states, strict=True)
    ]
    assert max(differences) < 1e-5, differences
    assert float((found.pooled - wanted.pooler_output).abs().max()) < 1e-5


@torch.no_grad()
def test_minilm_puts_sentences_of_one_meaning_near_each_other(minilm):
    """Mean of the states, as its authors use it: the pair of one meaning beats the other two."""
    ours, _, tokenizer = minilm
    texts = ["A man is playing a guitar.", "Someone plays music.", "The stock market fell."]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    mask = batch["attention_mask"][..., None].float()
    means = (ours(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
    a, b, c = torch.nn.functional.normalize(means, dim=1)
    assert a @ b > 0.4 and a @ c < 0.2 and b @ c < 0.2


@pytest.fixture(scope="module")
def glove(weights_of):
    weights_of("glove-6b-50d")
    pytest.importorskip("pyarrow", reason="pyarrow, which reads GloVe's words, is not installed")
    return mb.Word2Vec.from_pretrained("glove-6b-50d")


def test_glove_has_the_released_numbers(glove):
    assert glove.config.vocab_size == len(glove.vocab) == 400_000 and glove.config.dim == 50
    assert glove.vocab.tokens[:8] == ["the", ",", ".", "of", "to", "and", "in", "a"]
    starts = {  # of the lines of glove.6B.50d.txt
        "the": [0.418, 0.24968, -0.41242, 0.1217, 0.34527, -0.044457, -0.49688, -0.17862],
        "king": [0.50451, 0.68607, -0.59517, -0.022801, 0.60046, -0.13498, -0.08813, 0.47377],
        "of": [0.70853, 0.57088, -0.4716, 0.18048, 0.54449, 0.72603, 0.18157, -0.52393],
    }
    for word, numbers in starts.items():
        assert np.array_equal(glove.vector(word)[:8].numpy(), np.array(numbers, np.float32)), word
    assert torch.isfinite(glove.vectors).all()


def test_glove_knows_what_is_to_woman_as_king_is_to_man(glove):
    best, cosine = glove.analogy("man", "king", "woman")[0]
    assert best == "queen" and cosine == pytest.approx(0.8524, abs=1e-3)
    assert dict(glove.neighbours("paris", k=10)).keys() & {"france", "brussels", "london"}


def test_a_limit_reads_the_most_frequent_words(glove):
    some = mb.Word2Vec.from_pretrained("glove-6b-50d", limit=1000)
    assert some.vocab.tokens == glove.vocab.tokens[:1000]
    assert torch.equal(some.vectors, glove.vectors[:1000])
