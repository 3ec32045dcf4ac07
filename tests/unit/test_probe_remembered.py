"""States are computed once in a session, and again as soon as anything has changed."""

import gc

import pytest
import torch

import minibert as mb
from minibert.probe import remembered, word_states

SENTENCES = [["the", "dog", "barked", "."], ["a", "cat"]]
TEXTS = ["the dog barked .", "a cat"]


@pytest.fixture
def bert():
    tokenizer = mb.text.WordPiece.train(TEXTS, 60)
    torch.manual_seed(0)
    config = mb.BERTConfig(len(tokenizer), 8, 2, 2, hidden=8, max_length=64)
    return mb.BERT(config, tokenizer)


@pytest.fixture
def passes(monkeypatch):
    """A list that grows with each batch that a model reads; nothing is remembered at first."""
    done, read = [], word_states.tokens

    def counted(*given):
        done.append(1)
        return read(*given)

    monkeypatch.setattr(word_states, "tokens", counted)
    mb.probe.forget()
    yield done
    mb.probe.forget()


def equal(a, b):
    pairs = zip(a.layers, b.layers, strict=True)
    return a.words == b.words and all(torch.equal(*pair) for pair in pairs)


def test_the_same_question_is_computed_once(bert, passes):
    first = mb.probe.states(bert, SENTENCES)
    assert equal(mb.probe.states(bert, SENTENCES), first) and len(passes) == 1
    assert equal(mb.probe.states(bert, TEXTS), first) and len(passes) == 1
    assert equal(mb.probe.states(bert, SENTENCES, cache=False), first) and len(passes) == 2
    mb.probe.states(bert, SENTENCES, "mean")
    mb.probe.states(bert, SENTENCES[:1])
    assert len(passes) == 4
    mb.probe.forget()
    mb.probe.states(bert, SENTENCES)
    assert len(passes) == 5


CHANGES = {
    "in place": lambda m: m.stack.blocks[0].ffn.inner.weight.data[0, 0].add_(0.5),
    "by numpy": lambda m: m.embeddings.word.weight.detach().numpy().__iadd__(0.5),
    "one number": lambda m: m.stack.blocks[1].ffn.outer.bias.data[3:4].add_(1.0),
    "a new tensor": lambda m: setattr(
        m.embeddings.word, "weight", torch.nn.Parameter(m.embeddings.word.weight + 1)
    ),
    "a new block": lambda m: m.stack.blocks.__setitem__(
        0, mb.models.transformer.model.Block(m.config)
    ),
    "in training": lambda m: torch.optim.SGD(m.parameters(), lr=0.1, weight_decay=0.1).step(),
}


@pytest.mark.parametrize("how", CHANGES)
def test_nothing_is_stale_after_the_weights_changed(bert, passes, how):
    before = mb.probe.states(bert, SENTENCES)
    if how == "in training":
        bert(torch.tensor([[1, 2, 3]])).last_hidden_state.square().sum().backward()
    CHANGES[how](bert)
    after = mb.probe.states(bert, SENTENCES)
    assert len(passes) == 2 and equal(after, mb.probe.states(bert, SENTENCES, cache=False))
    assert not equal(after, before)


def test_nothing_is_remembered_of_a_model_that_is_changed_by_hooks(bert, passes):
    before = mb.probe.states(bert, SENTENCES)
    with mb.probe.changed(bert, 1, units=[2], value=9.0):
        inside = mb.probe.states(bert, SENTENCES)
        assert bool((inside.layers[1][:, 2] == 9.0).all())
    assert equal(mb.probe.states(bert, SENTENCES), before) and len(passes) == 2
    forward = bert.stack.blocks[0].forward
    bert.stack.blocks[0].forward = lambda *given, **named: forward(*given, **named)
    mb.probe.states(bert, SENTENCES)
    assert len(passes) == 3


def test_another_vocabulary_or_model_is_another_question(bert, passes):
    mb.probe.states(bert, SENTENCES)
    tokens = bert.tokenizer.tokens
    bert.tokenizer = mb.text.WordPiece([*tokens[:5], *tokens[:4:-1]])
    mb.probe.states(bert, SENTENCES)
    assert len(passes) == 2
    again = mb.BERT(bert.config, bert.tokenizer)
    again.load_state_dict(bert.state_dict())
    mb.probe.states(again, SENTENCES)
    assert len(passes) == 3


def test_an_answer_may_be_changed(bert, passes):
    first = mb.probe.states(bert, SENTENCES)
    wanted = [layer.clone() for layer in first.layers]
    first.layers[0].zero_()
    first.words[0].append("more")
    second = mb.probe.states(bert, SENTENCES)
    second.layers[1].fill_(7.0)
    third = mb.probe.states(bert, SENTENCES)
    assert all(map(torch.equal, third.layers, wanted)) and third.words == SENTENCES
    assert len(passes) == 1


def test_it_is_bounded_and_the_oldest_goes_first(bert, passes, monkeypatch):
    size = 4 * 8 * 3  # bytes of a word: floats, width, layers
    monkeypatch.setattr(remembered.MEMORY, "limit", 5 * size)
    for text in ("the dog", "a cat"):
        mb.probe.states(bert, [text])
    mb.probe.states(bert, ["the dog"])  # it is the newest now
    mb.probe.states(bert, ["a dog"])
    assert len(passes) == 3 and remembered.MEMORY.size == 4 * size
    mb.probe.states(bert, ["the dog"])
    assert len(passes) == 3
    mb.probe.states(bert, ["a cat"])
    assert len(passes) == 4
    mb.probe.states(bert, ["the dog barked . the cat"])  # too large to be kept at all
    assert remembered.MEMORY.size == 4 * size


def test_what_is_gone_is_not_kept(bert, passes):
    other = mb.BERT(bert.config, bert.tokenizer)
    mb.probe.states(other, SENTENCES)
    del other
    gc.collect()
    mb.probe.states(bert, SENTENCES)
    assert len(remembered.MEMORY.entries) == 1


def test_a_table_is_not_remembered(passes):
    vocab = mb.text.Vocab.train(TEXTS)
    table = mb.Word2Vec(mb.Word2VecConfig(len(vocab), 4), vocab)
    mb.probe.states(table, SENTENCES)
    assert not remembered.MEMORY.entries
