"""Task models with and without a frozen language model beside their word vectors."""

import pytest
import torch

import minibert as mb
from minibert.heads import context_encoder as contextual
from minibert.heads import tagger

SENTENCES = [["the", "cat", "sat"], ["dogs"], ["a", "dog", "ran", "away"]]
SPECIALS = ("<pad>", "<unk>", "<S>", "</S>")


def make_elmo():
    torch.manual_seed(0)
    vocab = mb.text.Vocab.train(SENTENCES, specials=SPECIALS)
    sizes = {"dim": 6, "projection": 4, "char_dim": 3, "filters": ((1, 3), (3, 4))}
    return mb.ELMo(mb.ELMoConfig(len(vocab), dropout=0.5, **sizes), vocab)


def make_batch(live=False):
    elmo = make_elmo()
    vocab = mb.text.Vocab.train(SENTENCES)
    if live:
        spellings = mb.text.characters.Spellings()
        rows = [spellings.encode(words) for words in SENTENCES]
        found = contextual.Live(elmo, spellings)
    else:
        found, rows = contextual.Remembered.of(elmo, SENTENCES, batch_size=2)
    examples = [
        {"input_ids": vocab.encode(words), "contextual_ids": row, "labels": [len(w) for w in words]}
        for words, row in zip(SENTENCES, rows, strict=True)
    ]
    batch = next(iter(mb.text.PaddedBatches(examples, 3, shuffle=False, by_length=False)))
    return elmo, found, batch, torch.randn(len(vocab), 5)


@pytest.mark.parametrize("live", [False, True])
def test_the_layers_are_those_of_the_language_model(live):
    elmo, found, batch, _ = make_batch(live)
    found.train()
    layers = found(batch["contextual_ids"])
    want = torch.stack(elmo.encode(SENTENCES).hidden_states)
    torch.testing.assert_close(layers, want)
    assert layers.shape == (found.layers, 3, 4, found.width)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("at", [("input",), ("output",), ("input", "output")])
def test_only_the_mixes_and_the_task_model_learn(live, at):
    elmo, found, batch, vectors = make_batch(live)
    before = {name: p.clone() for name, p in elmo.named_parameters()}
    model = mb.heads.Tagger(vectors, 9, contextual=found, at=at, hidden=4, dropout=0.0)
    assert set(model.encoder.mixes) == set(at)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.5)
    model.train()
    for _ in range(3):
        loss, count = model.loss(batch)
        (loss / count).backward()
        optimizer.step()
        optimizer.zero_grad()
    for name, p in elmo.named_parameters():
        assert torch.equal(p, before[name])
    for mix in model.encoder.mixes.values():
        assert mix.weights.abs().sum() > 0 and mix.gamma != 1
    if len(at) == 2:
        one, other = model.encoder.mixes.values()
        assert not torch.equal(one.weights, other.weights)


def test_the_encoder_by_hand():
    _, found, batch, vectors = make_batch()
    encoder = mb.heads.ContextEncoder(vectors, found, ("input", "output"), hidden=3).eval()
    out = encoder(batch["input_ids"], batch["attention_mask"], batch["contextual_ids"])
    assert out.shape == (3, 4, encoder.width) and encoder.width == 2 * 3 + found.width
    row = slice(0, 3)
    layers = found(batch["contextual_ids"][:1, row])
    mixed = layers.mean(0)  # before training all shares are alike and gamma is 1
    x = torch.cat((vectors[batch["input_ids"][:1, row]], mixed), -1)
    h, _ = encoder.lstm(x)
    torch.testing.assert_close(out[:1, row], torch.cat((h, mixed), -1))


def test_without_a_language_model_nothing_of_it_is_there():
    _, _, batch, vectors = make_batch()
    model = mb.heads.Tagger(vectors, 9, at=("input", "output"))
    assert not model.encoder.mixes and model.encoder.lstm.input_size == 5
    assert model(batch["input_ids"], batch["attention_mask"]).shape == (3, 4, 9)


def test_padding_changes_nothing():
    _, found, batch, vectors = make_batch()
    model = mb.heads.Tagger(vectors, 9, contextual=found, at=("input", "output")).eval()
    logits = model(batch["input_ids"], batch["attention_mask"], batch["contextual_ids"])
    alone = model(*(batch[n][:1, :3] for n in ("input_ids", "attention_mask", "contextual_ids")))
    torch.testing.assert_close(logits[:1, :3], alone)
    assert model.loss(batch)[1] == 8


def test_tagging_is_learned_and_scored():
    _, found, batch, vectors = make_batch()
    torch.manual_seed(0)
    model = mb.heads.Tagger(vectors, 9, contextual=found, dropout=0.0)
    mb.fit(model, [batch], steps=60, optimizer=mb.optim.adamw(model, 0.02), progress=False)
    said, true = mb.heads.tagged(model, [batch])
    assert true == [[3, 3, 3], [4], [1, 3, 3, 4]] and said == true
    assert mb.heads.share_right(said, true) == 1.0
    assert mb.heads.share_right([[1, 2], [3]], [[1, 0], [3]]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "tags, found",
    [
        ("B-PER I-PER O B-LOC", {(0, 2, "PER"), (3, 4, "LOC")}),
        ("B-PER B-PER", {(0, 1, "PER"), (1, 2, "PER")}),
        ("I-PER I-LOC", {(0, 1, "PER"), (1, 2, "LOC")}),
        ("O O", set()),
        ("B-ORG I-ORG I-ORG", {(0, 3, "ORG")}),
        ("O B-LOC O", {(1, 2, "LOC")}),
    ],
)
def test_spans(tags, found):
    assert tagger.spans(tags.split()) == found


def test_span_f1_wants_both_ends_and_the_kind():
    true = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG"]]
    said = [["B-PER", "O", "O", "B-LOC"], ["O", "B-PER"]]
    assert tagger.span_f1(said, true) == pytest.approx(2 * 1 / (3 + 3))
    assert tagger.span_f1(true, true) == 1.0 and tagger.span_f1([["O"]], [["O"]]) == 1.0


def pairs():
    """Is the second sentence the first one again?"""
    vocab = mb.text.Vocab.train(SENTENCES)
    examples = [
        {"input_ids": vocab.encode(a), "input_ids_b": vocab.encode(b), "labels": int(a == b)}
        for a in SENTENCES
        for b in SENTENCES
    ]
    return examples, torch.randn(len(vocab), 8)


def test_a_pair_model_learns_to_compare():
    torch.manual_seed(0)
    examples, vectors = pairs()
    batches = mb.text.PaddedBatches(examples, 9, shuffle=False)
    model = mb.heads.PairClassifier(vectors, 2, compared=16, hidden=8, dropout=0.0)
    mb.fit(model, batches, steps=60, optimizer=mb.optim.adamw(model, 0.01), progress=False)
    right = torch.tensor([example["labels"] for example in examples])
    order = torch.from_numpy(batches.plan(0)[0])
    assert torch.equal(mb.heads.predict(model, batches), right[order])


def test_two_sentences_are_compared_word_by_word():
    model = mb.heads.PairClassifier(torch.randn(9, 8), 2, compared=5, hidden=3).eval()
    ids = torch.tensor([[2, 3, 4]]), torch.tensor([[3, 5]])
    a, b = (model.encoder(one, torch.ones_like(one))[0] for one in ids)

    def compared(words, others):
        rows = []
        for word in words:
            shares = torch.stack([word @ other / 6**0.5 for other in others]).softmax(0)
            match = sum(share * other for share, other in zip(shares, others, strict=True))
            rows.append(model.compare(torch.cat((word, match, word - match, word * match))))
        return torch.cat((torch.stack(rows).mean(0), torch.stack(rows).amax(0)))

    want = model.output(torch.cat((compared(a, b), compared(b, a))))
    torch.testing.assert_close(model(ids[0], torch.ones_like(ids[0]), ids[1])[0], want)


def test_padding_of_either_sentence_changes_nothing():
    examples, vectors = pairs()
    model = mb.heads.PairClassifier(vectors, 2).eval()
    batch = next(iter(mb.text.PaddedBatches(examples, 9, shuffle=False, by_length=False)))
    together = model.output_of(batch)
    for row, example in enumerate(examples):
        alone = next(iter(mb.text.PaddedBatches([example], 1)))
        torch.testing.assert_close(together[row : row + 1], model.output_of(alone))


def test_scoring_leaves_the_mode_as_it_was():
    _, _, batch, vectors = make_batch()
    tags, examples = mb.heads.Tagger(vectors, 9), pairs()[0]
    judge = mb.heads.PairClassifier(pairs()[1], 2)
    for mode in (True, False):
        mb.heads.tagged(tags.train(mode), [batch])
        mb.heads.predict(judge.train(mode), mb.text.PaddedBatches(examples, 9))
        assert all(m.training is mode for model in (tags, judge) for m in model.modules())


def test_dropout_falls_on_what_the_lstm_reads_and_on_what_it_gives(monkeypatch):
    _, _, batch, vectors = make_batch()
    encoder, seen = mb.heads.ContextEncoder(vectors.abs() + 1, dropout=0.5), []
    encoder.lstm.register_forward_pre_hook(lambda _, given: seen.append(given[0].data))
    ids, mask = batch["input_ids"], batch["attention_mask"]
    for training in (True, False):
        seen.append(encoder.train(training)(ids, mask)[mask.bool()])
    assert all(0.2 < (x == 0).float().mean() < 0.8 for x in seen[:2])
    assert all((x != 0).all() for x in seen[2:])


def test_misuse_is_told():
    _, found, batch, vectors = make_batch()
    with pytest.raises(ValueError, match="at names some of .* got 'top'"):
        mb.heads.Tagger(vectors, 2, contextual=found, at="top")
    model = mb.heads.Tagger(vectors, 9, contextual=found)
    with pytest.raises(ValueError, match="expected contextual_ids"):
        model(batch["input_ids"], batch["attention_mask"])
