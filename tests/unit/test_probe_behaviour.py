"""`mb.probe.minimal_pairs`: scores as one pass after the other gives them, and its traps."""

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.models.baselines import NGram, vocabulary
from minibert.models.bert.left_to_right import LeftToRight

TEXTS = [
    "The baker opened the small door .",
    "The keys to the cabinet are new .",
    "Unaffable !",
    "The keys to the cabinet is new .",
    "A dog saw the old neighbour in the market and barked at her .",
]
WORDS = [text.split() for text in TEXTS]


@pytest.fixture(scope="module")
def gpt():
    return mb.GPT.from_pretrained("minibert-gpt")


@pytest.fixture(scope="module")
def masked():
    return mb.heads.MaskedLM.from_pretrained("minibert-bert")


def pieces_of(tokenizer, words):
    """Ids of all pieces, and for each the number of its word."""
    pieces = [tokenizer.encode(word) for word in words]
    return sum(pieces, []), [number for number, one in enumerate(pieces) for _ in one]


@torch.no_grad()
def obvious_masked(head, words, hidden):
    """One sentence, one piece at a time."""
    tokenizer = head.encoder.tokenizer
    ids, numbers = pieces_of(tokenizer, words)
    total = 0.0
    for place, piece in enumerate(ids):
        covered = list(ids)
        for other, number in enumerate(numbers):
            same = number == numbers[place]
            if other == place or same and (hidden == "word" or hidden == "later" and other > place):
                covered[other] = tokenizer.mask_id
        row = torch.tensor([[tokenizer.cls_id, *covered, tokenizer.sep_id]])
        total += float(head.eval()(row)[0, place + 1].log_softmax(-1)[piece])
    return total


@pytest.mark.parametrize("hidden", ["later", "word", "piece"])
def test_masked_scores_are_those_of_one_piece_after_the_other(masked, hidden):
    found = mb.probe.sentence_scores(masked, WORDS, hidden=hidden, batch_tokens=50)
    wanted = [obvious_masked(masked, words, hidden) for words in WORDS]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    whole = mb.probe.sentence_scores(masked, TEXTS, hidden=hidden)  # text and its words: the same
    np.testing.assert_allclose(found, whole, rtol=1e-5)


def test_pieces_of_a_word_give_each_other_away(masked):
    """A word in many pieces scores better where the others are seen, and one piece as ever."""
    rare, whole = [["Unaffable"]], [["the"]]
    assert len(masked.encoder.tokenizer.encode("Unaffable")) > 2
    ways = {h: mb.probe.sentence_scores(masked, rare, hidden=h)[0] for h in ("piece", "later")}
    assert ways["piece"] > ways["later"] + 1  # nats
    assert len({float(mb.probe.sentence_scores(masked, whole, hidden=h)[0]) for h in ways}) == 1
    assert mb.probe.sentence_scores(masked, rare) == ways["later"]  # the default
    with pytest.raises(ValueError, match="hidden must be 'later' or 'word' or 'piece'"):
        mb.probe.sentence_scores(masked, rare, hidden="all")


def test_causal_scores_are_those_of_the_models_own(gpt):
    """Every token counts, the first one too: it follows the start token."""
    found = mb.probe.sentence_scores(gpt, TEXTS, batch_tokens=30)
    tokenizer = gpt.tokenizer
    wanted = [gpt.log_probs([tokenizer.end_id, *tokenizer.encode(t)]).sum() for t in TEXTS]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    head = mb.heads.CausalLM(gpt)
    np.testing.assert_allclose(mb.probe.sentence_scores(head, TEXTS), wanted, rtol=1e-5)
    one, other = mb.probe.sentence_scores(gpt, ["dog", "Door"])
    assert one != other  # a sentence of one token has a score


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_lstm_scores_are_those_of_the_models_own(way):
    model = mb.AWDLSTM.from_pretrained(f"minibert-awd-lstm-{way}").train()
    found = mb.probe.sentence_scores(model, WORDS, batch_tokens=30)
    reader = mb.heads.reading.reader_of(model)
    wanted = [model.log_probs(reader.ids(text)).sum() for text in TEXTS]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert model.training


def test_a_bert_that_reads_to_the_right_starts_from_its_mark(masked):
    encoder = LeftToRight(masked.encoder.config, masked.encoder.tokenizer).eval()
    head, tokenizer = mb.heads.CausalLM(encoder).eval(), encoder.tokenizer
    with pytest.raises(ValueError, match="got a MaskedLM on a LeftToRight, which reads one side"):
        mb.probe.sentence_scores(mb.heads.MaskedLM(encoder), TEXTS)
    wanted = []
    for text in TEXTS:
        ids = torch.tensor([[tokenizer.cls_id, *tokenizer.encode(text)]])
        with torch.no_grad():
            log_p = head(ids)[0, :-1].log_softmax(-1)
        wanted.append(float(log_p.gather(1, ids[0, 1:, None]).sum()))
    found = mb.probe.sentence_scores(head, TEXTS, batch_tokens=30)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_counted_models_with_words_or_with_pieces(gpt):
    corpus = mb.world.generate(3000, 0)
    tokens = list(corpus.tokens())
    vocab = vocabulary(tokens)
    model = NGram(mb.models.baselines.encode(tokens, vocab), len(vocab), order=3)
    wanted = [-mb.models.baselines.costs(model, words, vocab).sum() for words in WORDS]
    found = mb.probe.sentence_scores(model, TEXTS, words=vocab)
    np.testing.assert_allclose(found, wanted)
    ids = gpt.tokenizer.encode(" ".join(TEXTS))
    model = NGram(ids, len(gpt.tokenizer), order=2, start=gpt.tokenizer.end_id)
    wanted = [model.log_probs(gpt.tokenizer.encode(text)).sum() for text in TEXTS]
    np.testing.assert_allclose(mb.probe.sentence_scores(model, TEXTS, words=gpt.tokenizer), wanted)
    for words in (None, vocab):
        with pytest.raises(ValueError, match="a NGram does not know its words"):
            mb.probe.sentence_scores(model, TEXTS, words=words)


def test_a_tie_is_not_a_success(gpt, masked):
    """Equal sentences, in batches of whatever else, have equal scores."""
    good, bad = [*TEXTS, TEXTS[0]], [*TEXTS[:2], "the THE", *TEXTS[3:], "Nothing ."]
    for model in (gpt, masked):
        scores = mb.probe.minimal_pairs(model, good, bad, batch_tokens=40)
        assert scores.ties == 4 and not scores.right[[0, 1, 3, 4]].any()
        assert scores.accuracy == scores.right.mean() <= 2 / 6
    alike = mb.probe.minimal_pairs(masked, ["The dog ."], ["the dog ."])  # to an uncased model
    assert alike.ties == masked.encoder.tokenizer.lowercase


def test_accuracy_by_label():
    scores = mb.probe.PairScores(np.array([1.0, 2, 3, 4]), np.array([0.0, 2, 4, 1]))
    assert scores.accuracy == 0.5 and scores.ties == 1
    assert list(scores.by([2, 0, 0, 2]).items()) == [(0, 0.0), (2, 1.0)]
    assert scores.by(["b", "a", "b", "a"]) == {"b": 0.5, "a": 0.5}
    assert repr(scores) == "PairScores(50.0% of 4 pairs right, 1 ties)"
    with pytest.raises(ValueError, match="a label for each of 4 pairs, got 3"):
        scores.by("abc")


def test_the_world_has_pairs_by_attractors(gpt):
    examples = mb.world.task("agreement", seed=0).test[:60]
    pairs = [[e.info[kind] for e in examples] for kind in ("good", "bad")]
    scores = mb.probe.minimal_pairs(gpt, *pairs)
    numbers = [e.info["attractors"] for e in examples]
    by = scores.by(numbers)
    assert list(by) == [0, 1, 2, 3, 4]
    assert by[3] == scores.right[np.array(numbers) == 3].mean()


def test_what_cannot_be_scored_is_named(gpt, masked):
    ask = mb.probe.sentence_scores
    for model, bad, told in [
        (gpt, ["a", ""], "sentence 1 or one of its words is empty"),
        (masked, [["a", " "]], "sentence 0 or one of its words is empty"),
        (gpt, ["dog " * 400], "at most 191 tokens a sentence, got one of"),
        (masked, ["dog " * 400], "expected at most .* tokens a sentence"),
        (masked.encoder, ["a"], "got a BERT; a BERT needs mb.heads.MaskedLM"),
        (mb.Word2Vec(mb.Word2VecConfig(5, 2)), ["a"], "got a Word2Vec"),
    ]:
        with pytest.raises(ValueError, match=told):
            ask(model, bad)
    with pytest.raises(ValueError, match="as many good sentences as bad ones, got 2 and 1"):
        mb.probe.minimal_pairs(gpt, ["a", "b"], ["a"])
    tokenizer = mb.text.BPE.train(TEXTS, 300)
    small = mb.GPT(mb.GPTConfig(300, 8, 1, 2, hidden=8, max_length=32), tokenizer).eval()
    with pytest.raises(ValueError, match="no token to start from.*start="):
        ask(small, ["a dog"])
    assert np.isfinite(ask(small, ["a dog"], start=0)).all()
    small.embeddings.word.weight.data[:] = float("nan")
    with pytest.raises(FloatingPointError, match="the score of sentence 0 is not finite"):
        ask(small, ["a dog"], start=0)
