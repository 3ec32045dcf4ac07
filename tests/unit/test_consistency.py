"""Unlabelled texts: the loss held against loops, changes, and a target without gradient."""

import math

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.transfer import (
    Annealed,
    Consistency,
    SideBySide,
    Unlabelled,
    synonyms,
    word_dropout,
)
from tests.unit.test_train import Interrupt

TEXTS = [
    "The old baker opened the small door.",
    "A small cat saw the old dog",
    "the dog ran to the baker",
    "an old door opened; a cat ran",
    "The cat slept",
]
LABELS = [0, 1, 2, 0, 1]
STILL = {"dropout": 0.0, "attention_dropout": 0.0}
WIDE = {"dim": 8, "layers": 1, "heads": 2, "hidden": 16, "max_length": 32}
KINDS = ["BERT", "GPT", "AWDLSTM", "ELMo"]


def encoder(kind="BERT", seed=0):
    mb.seed_everything(seed)
    if kind == "AWDLSTM":
        vocab = mb.text.Vocab.train([mb.text.tokenise(text) for text in TEXTS])
        return mb.AWDLSTM(mb.AWDLSTMConfig(len(vocab), 8, 12, 2), vocab)
    if kind == "ELMo":
        specials = ("<pad>", "<unk>", "<S>", "</S>")
        vocab = mb.text.Vocab.train([mb.text.tokenise(t) for t in TEXTS], specials=specials)
        sizes = {"dim": 7, "projection": 5, "char_dim": 3, "filters": ((1, 4), (2, 3))}
        return mb.ELMo(mb.ELMoConfig(len(vocab), **sizes), vocab)
    tokenizer = (mb.text.WordPiece if kind == "BERT" else mb.text.BPE).train(TEXTS, 280)
    config = getattr(mb, f"{kind}Config")(vocab_size=len(tokenizer), **WIDE, **STILL)
    return getattr(mb, kind)(config, tokenizer)


def classifier(kind="BERT", labels=3):
    head = mb.heads.SequenceClassifier(encoder(kind), labels, dropout=0.0, pooling="mean")
    torch.nn.init.normal_(head.output.weight, std=1.0)  # so that it is sure of something
    return head


def batches(head, changes=None, **options):
    labelled = head.batches(head.examples(TEXTS, LABELS), 3)
    return SideBySide(labelled, Unlabelled(head, TEXTS, changes or word_dropout(0.4), 4, **options))


def fit(net, given, **options):
    return mb.fit(net, given, **{"progress": False, "device": "cpu", **options})


def slow(head, batch, weight, confidence, temperature):
    """The loss by its definition, one text and one class at a time."""
    own, count = head.loss({name: batch[name] for name in batch if name != "beside"})
    before = head.output_of(batch["beside"]["text"]).tolist()
    after = head.output_of(batch["beside"]["changed"]).log_softmax(-1)
    gaps = []
    for said, now in zip(before, after, strict=True):
        sure = max(math.exp(z) for z in said) / sum(math.exp(z) for z in said)
        sharp = [math.exp(z / temperature) for z in said]
        p = [one / sum(sharp) for one in sharp]
        gap = sum(a * (math.log(a) - b) for a, b in zip(p, now, strict=True))
        gaps.append(gap if sure > confidence else 0.0 * gap)
    return own / count + weight * sum(gaps) / len(gaps)


@pytest.mark.parametrize("confidence, temperature", [(0.0, 1.0), (0.5, 0.4), (0.6, 2.0)])
@pytest.mark.parametrize("kind", ["BERT", "GPT"])
def test_the_loss_and_its_gradient_are_those_of_the_definition(kind, confidence, temperature):
    head, given = classifier(kind), {"confidence": confidence, "temperature": temperature}
    net, batch = Consistency(head, 0.7, **given), next(iter(batches(head)))
    loss, count = net.loss(batch)
    wanted = slow(head, batch, 0.7, **given)
    torch.testing.assert_close(loss / count, wanted)
    learned = [p for name, p in head.named_parameters() if "pooler" not in name]
    slowly, quickly = (torch.autograd.grad(x, learned) for x in (wanted, loss / count))
    for a, b in zip(slowly, quickly, strict=True):  # the slow target is made of plain numbers
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_the_target_has_no_gradient():
    head = classifier()
    pair = next(iter(batches(head)))["beside"]
    seen = []
    head.output.register_forward_hook(lambda module, given, out: seen.append(out.requires_grad))
    Consistency(head).disagreement(pair).backward()
    assert seen == [False, True]


def test_an_unchanged_text_costs_nothing_and_nobody_is_sure_of_everything():
    head, batch = classifier(), next(iter(batches(classifier())))
    pair = batch["beside"]
    same = {"text": pair["text"], "changed": pair["text"]}
    assert Consistency(head).disagreement(same).abs() < 1e-6
    assert Consistency(head).disagreement(pair) > 1e-6
    assert Consistency(head, confidence=0.999999).disagreement(pair) == 0
    plain, count = head.loss(batch)
    assert torch.equal(Consistency(head, confidence=0.999999).loss(batch)[0], plain) and count == 3
    assert torch.equal(Consistency(head).eval().loss(batch)[0], plain)


def test_words_are_left_out_in_their_order():
    change, text = word_dropout(0.5), "The mother-in-law's cat,\n it didn't sleep."
    words = ["The", "mother-in-law's", "cat", "it", "didn't", "sleep"]
    seen = {change(text, np.random.default_rng(seed)) for seed in range(40)}
    for changed in seen:
        kept = [word for word in words if word in changed.replace(",", " ").replace(".", " ")]
        assert kept and changed.replace(",", "").replace(".", "").split() == kept
        assert "," in changed and changed.endswith(".")
    assert len(seen) > 20
    rng = np.random.default_rng(0)
    lone = [word_dropout(1.0)("one two three", rng) for _ in range(20)]
    assert set(lone) == {"one", "two", "three"}
    assert word_dropout(1.0)("?!", rng) == "?!"
    lost = 1 - len(word_dropout(0.1)("word " * 20000, rng).split()) / 20000
    assert lost == pytest.approx(0.1, abs=0.01)


def test_synonyms_keep_capitals_and_signs():
    table = {"cat": ["kitty"], "small": ["little", "tiny"]}
    for near in (table, lambda word: table.get(word, [])):
        change = synonyms(near, 1.0)
        seen = {change("Small cats: a cat!", np.random.default_rng(i)) for i in range(20)}
        assert seen == {"Little cats: a kitty!", "Tiny cats: a kitty!"}
    swapped = synonyms(table, 0.3)("cat " * 10000, np.random.default_rng(0)).count("kitty")
    assert swapped == pytest.approx(3000, abs=200)


@pytest.mark.parametrize("kind", KINDS)
def test_each_text_stands_beside_its_own_changed_version(kind):
    head = classifier(kind)
    pairs = Unlabelled(head, TEXTS, synonyms({"cat": ["dog"], "dog": ["cat"]}, 1.0), 2)
    for entry, batch in zip(pairs.plan(0), pairs, strict=True):
        texts = [TEXTS[i] for i in entry]
        other = [t.replace("cat", "#").replace("dog", "cat").replace("#", "dog") for t in texts]
        for name, given in (("text", texts), ("changed", other)):
            ids, masks = batch[name]["input_ids"], batch[name]["attention_mask"]
            for row, mask, wanted in zip(ids, masks, head.examples(given), strict=True):
                assert row[mask == 1].tolist() == np.asarray(wanted["input_ids"]).tolist()


def test_masking_spares_special_tokens():
    head = classifier()
    tokenizer = head.encoder.tokenizer
    pairs = Unlabelled(head, TEXTS, batch_size=5, masked=0.5)
    first, second = (next(iter(pairs)) for _ in range(2))
    for pair in (first, second):
        before, after = pair["text"]["input_ids"], pair["changed"]["input_ids"]
        special = torch.isin(before, torch.tensor(sorted(tokenizer.special_ids)))
        changed = before != after
        assert torch.equal(after[changed], torch.full_like(after[changed], tokenizer.mask_id))
        assert not (changed & special).any()
        assert changed.sum(1).tolist() == [max(1, round(n / 2)) for n in (~special).sum(1).tolist()]
    at = first["changed"]["input_ids"].eq(tokenizer.mask_id).sum()
    assert at and not torch.equal(first["changed"]["input_ids"], second["changed"]["input_ids"])


def test_pairs_of_texts_are_changed_one_by_one():
    head = mb.heads.SequenceClassifier(encoder(), 2)
    change = synonyms({"cat": ["dog"]}, 1.0)
    batch = next(iter(Unlabelled(head, [("a cat", "the cat")], change)))
    (wanted,) = head.examples([("a dog", "the dog")])
    assert batch["changed"]["input_ids"][0].tolist() == wanted["input_ids"]
    assert batch["changed"]["token_type_ids"][0].tolist() == wanted["token_type_ids"]


def test_a_text_of_which_no_known_word_is_left_stays_as_it_was():
    words = mb.text.Vocab(["<pad>", "cat", "dog"], specials=["<pad>"])
    head = mb.heads.CNNClassifier(mb.heads.Table((3, 4), words), 2)
    (batch,) = Unlabelled(head, ["a cat", "the dog ran"], lambda text, rng: text[:3])
    assert batch["changed"]["input_ids"].tolist() == batch["text"]["input_ids"].tolist()


def test_a_run_goes_on_exactly(tmp_path):
    def run(stop=99, **options):
        head = classifier()
        net = Consistency(head, confidence=0.4, temperature=0.5)
        callbacks = [Annealed("weight", lambda step: 1 / (1 + step)), Interrupt(stop)]
        return fit(net, batches(head), steps=5, callbacks=callbacks, **options), net

    whole, one = run()
    run(3, checkpoint=tmp_path)
    again, other = run(checkpoint=tmp_path)
    assert again.loss == whole.loss and one.weight == other.weight == 1.0
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_every_encoder_learns_and_its_layers_are_groups(kind):
    head = classifier(kind)
    net = Consistency(head)
    assert np.isfinite(fit(net, batches(head)).loss).all()
    groups = mb.transfer.layer_groups(net)
    assert {id(p) for p in groups[-1]} >= {id(p) for p in head.output.parameters()}
    assert len(groups) > 2


def test_what_does_not_fit_is_refused():
    head, below = classifier(), encoder()
    for wrong in (
        mb.heads.TokenClassifier(below, 3),
        mb.heads.MaskedLM(below),
        mb.heads.SequenceClassifier(below, 1, "regression"),
        mb.heads.DoubleHeads(encoder("GPT")),
    ):
        with pytest.raises(ValueError, match="chooses one class for each text, got a"):
            Consistency(wrong)
    for options in ({"weight": -1}, {"confidence": 1.0}, {"temperature": 0}):
        with pytest.raises(ValueError, match="expected a weight of at least 0, a confidence"):
            Consistency(head, **options)
    with pytest.raises(ValueError, match="at least one text without a label, got none"):
        Unlabelled(head, [], word_dropout())
    with pytest.raises(ValueError, match="expected change, or masked"):
        Unlabelled(head, TEXTS)
    with pytest.raises(ValueError, match="tokenizer has .MASK.: drop words instead"):
        Unlabelled(classifier("GPT"), TEXTS, masked=0.2)
    with pytest.raises(ValueError, match="expected at least one token in each example"):
        next(iter(Unlabelled(classifier("GPT"), TEXTS, lambda text, rng: "")))
    with pytest.raises(ValueError, match="expected beside in the batch"):
        Consistency(head).loss(next(iter(head.batches(head.examples(TEXTS, LABELS)))))
    for make in (word_dropout, lambda share: synonyms({}, share)):
        for share in (0, 1.5, float("nan")):
            with pytest.raises(ValueError, match="share of words above 0 and at most 1"):
                make(share)
