"""`mb.probe.states`: a row a word from every model, as one reading after the other gives them."""

import warnings

import pytest
import torch

import minibert as mb
from minibert.heads.reading import reader_of
from minibert.probe import word_states
from tests.unit.test_probe_changes import NAMES

SENTENCES = [
    "the baker opened the small door .".split(),
    ["Unaffable", "Zürich"],
    "a dog saw the old neighbour in the market and barked at her for a long time .".split(),
    ["house"],
    "the mayor 's cat slept .".split(),
]


def obvious(model, words, pool):
    """One sentence, word by word: a list of (words, dim), one a layer."""
    example = reader_of(model).words(words)
    ids = torch.as_tensor(example["input_ids"])[None]
    with torch.no_grad():
        hidden = model.eval()(ids).hidden_states
    after = len(reader_of(model).ends[1])
    ends = [*example["words"][1:], ids.shape[1] - after]
    cut = {"first": lambda h: h[0], "last": lambda h: h[-1], "mean": lambda h: h.mean(0)}[pool]
    return [
        torch.stack([cut(h[0, a:b]) for a, b in zip(example["words"], ends, strict=True)])
        for h in hidden
    ]


@pytest.fixture(scope="module")
def models():
    return {name: kind.from_pretrained(name) for name, kind in NAMES.items()}


@pytest.mark.parametrize("name", NAMES)
def test_states_are_those_of_one_sentence_after_the_other(models, name):
    model = models[name]
    for pool in ("first", "last", "mean"):
        found = mb.probe.states(model, SENTENCES, pool, batch_tokens=40)
        assert found.lengths == [len(words) for words in SENTENCES] and len(found) == 5
        for i, words in enumerate(SENTENCES):
            wanted = obvious(model, words, pool)
            assert len(wanted) == len(found.layers)
            for layer, (a, b) in enumerate(zip(found.sentence(i), wanted, strict=True)):
                assert a.dtype == torch.float32
                torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
                assert torch.equal(found.split(layer)[i], a)


@pytest.mark.data
def test_minilm_and_glove_too(weights_of):
    minilm = mb.BERT.from_pretrained(weights_of("all-minilm-l6-v2"))
    found = mb.probe.states(minilm, SENTENCES, "mean")
    for i, words in enumerate(SENTENCES):
        for a, b in zip(found.sentence(i), obvious(minilm, words, "mean"), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    pytest.importorskip("pyarrow", reason="pyarrow, which reads GloVe's words, is not installed")
    weights_of("glove-6b-50d")
    glove = mb.Word2Vec.from_pretrained("glove-6b-50d", limit=5000)
    with pytest.warns(UserWarning, match="have no vector and get zeros"):
        (layer,) = mb.probe.states(glove, [["the", "qqqzzz", "King"]]).layers
    assert torch.equal(layer[0], glove.vector("the")) and torch.equal(
        layer[2], glove.vector("king")
    )
    assert not layer[1].any()


def test_a_text_is_cut_into_words(models):
    found = mb.probe.states(models["minibert-bert"], ["The baker's dog.", ["a", "b"]])
    assert found.words == [["The", "baker", "'s", "dog", "."], ["a", "b"]]


def test_the_model_is_given_back_as_it_was(models, monkeypatch):
    model = mb.AWDLSTM.from_pretrained("minibert-awd-lstm-forward").train()
    model.layers[0].eval()
    model.state = before = [(torch.zeros(1), torch.zeros(1))]
    mb.probe.states(model, SENTENCES)
    assert model.training and not model.layers[0].training and model.state is before

    def fails(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(word_states, "tokens", fails)
    mb.probe.forget()
    with pytest.raises(KeyboardInterrupt):
        mb.probe.states(model, SENTENCES)
    assert model.training and not model.layers[0].training and model.state is before
    assert torch.is_grad_enabled()


def test_what_cannot_be_read_is_named(models):
    bert = models["minibert-bert"]
    most = bert.config.max_length
    for bad, told in [
        ([["a"], []], "sentence 1 is empty"),
        ([["a", ""]], "word 1 of sentence 0 is empty"),
        ([["a"], ["the"] * most], f"sentence 1 is longer than the {most} tokens.*word {most - 2}"),
        ([["a", 3]], "a list of its words"),
        ([], "at least one sentence"),
    ]:
        with pytest.raises(ValueError, match=told):
            mb.probe.states(bert, bad)
    with pytest.raises(ValueError, match="pool must be 'first'"):
        mb.probe.states(bert, [["a"]], "max")
    with pytest.raises(ValueError, match="neither a tokenizer nor a vocabulary"):
        mb.probe.states(mb.BERT(mb.BERTConfig(20, 8, 1, 2, hidden=8)), [["a"]])


def test_a_word_without_a_piece_keeps_its_row(models):
    for name in ("minibert-bert", "minibert-gpt"):
        found = mb.probe.states(models[name], [["the", "\u200b", "dog"]])
        assert found.lengths == [3] and all(len(layer) == 3 for layer in found.layers)


def test_words_without_a_vector_get_zeros():
    vocab = mb.text.Vocab.train(["a dog barks"], specials=())
    model = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=4), vocab)
    with pytest.warns(UserWarning, match="2 of 4 words have no vector and get zeros.*'cow'"):
        (layer,) = mb.probe.states(model, [["a", "cow"], ["cow", "dog"]]).layers
    assert torch.equal(layer[[0, 3]], model.vectors[vocab.encode(["a", "dog"])])
    assert not layer[1:3].any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mb.probe.states(model, [["dog"]])


def test_sentences_are_pooled_and_parted(models):
    found = mb.probe.states(models["minibert-bert"], SENTENCES)
    for how, act in {
        "mean": lambda x: x.mean(0),
        "first": lambda x: x[0],
        "last": lambda x: x[-1],
        "max": lambda x: x.amax(0),
    }.items():
        whole = mb.probe.pooled(found, how)
        assert whole.lengths == [1] * 5 and whole.words[3] == ["house"]
        wanted = torch.stack([act(x) for x in found.split(2)])
        torch.testing.assert_close(whole.layer(2), wanted, rtol=0, atol=1e-6)
    part = found.part([4, 1])
    assert part.words == [SENTENCES[4], SENTENCES[1]]
    assert torch.equal(part.sentence(1)[-1], found.sentence(1)[-1])
    with pytest.raises(ValueError, match="a layer from 0 to"):
        found.layer(99)
    with pytest.raises(ValueError, match="how must be"):
        mb.probe.pooled(found, "sum")


def test_batches_hold_a_budget_of_tokens():
    lengths = [3, 9, 4, 30, 1, 4]
    found = list(word_states.batches(lengths, 12))
    assert sorted(i for batch in found for i in batch) == list(range(6))
    assert all(len(b) * max(lengths[i] for i in b) <= 12 or len(b) == 1 for b in found)
