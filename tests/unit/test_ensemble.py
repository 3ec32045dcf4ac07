"""Several models that answer together: means by hand, words, several labels, and refusals."""

import pytest
import torch

import minibert as mb
from minibert.heads import Predictions, averaged
from minibert.heads.ensemble import mean

TEXTS = ["a good film", "a bad film", "good"]
NAMES = ["negative", "positive"]
SMALL = {"layers": 1, "heads": 2, "hidden": 16, "dropout": 0.0, "attention_dropout": 0.0}


def said(*rows, inputs=("a", "b"), names=("no", "maybe", "yes")):
    rows = torch.tensor(rows)
    best = [names[i] for i in rows.argmax(-1).tolist()]
    return Predictions(list(inputs), best, rows, list(names))


def bert(seed=0):
    torch.manual_seed(seed)
    pieces = mb.text.WordPiece.train(TEXTS, 40)
    return mb.BERT(mb.BERTConfig(len(pieces), 16, **SMALL, init_std=0.5), pieces)


def lstm(seed=0):
    torch.manual_seed(seed)
    vocab = mb.text.Vocab.train(TEXTS, 20)
    return mb.AWDLSTM(mb.AWDLSTMConfig(len(vocab), 6, 8, 2), vocab)


def test_means_by_hand():
    one = said([0.7, 0.2, 0.1], [0.0, 0.5, 0.5])
    two = said([0.1, 0.3, 0.6], [0.2, 0.7, 0.1])
    found = averaged([one, two])
    torch.testing.assert_close(
        found.probabilities, torch.tensor([[0.4, 0.25, 0.35], [0.1, 0.6, 0.3]])
    )
    assert found.labels == ["no", "maybe"] and found.names == one.names
    product = torch.tensor([[0.07, 0.06, 0.06], [0.0, 0.35, 0.05]]).sqrt()
    of_logits = averaged([one, two], "logits")
    torch.testing.assert_close(of_logits.probabilities, product / product.sum(1, keepdim=True))
    logits = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(mean(logits, "logits"), logits.mean(0).softmax(-1))
    sure = [said(row, inputs="a", names="ab") for row in ([1.0, 0.0], [0.0, 1.0])]
    opposed = averaged(sure, "logits")
    assert opposed.probabilities.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("of", ["probabilities", "logits"])
def test_heads_on_other_models_and_of_other_seeds(of):
    heads = [mb.heads.SequenceClassifier(bert(seed), NAMES) for seed in (0, 1)]
    heads.append(mb.heads.PoolingClassifier(lstm(), NAMES))
    found = [head.predict(TEXTS) for head in heads]
    together = averaged(found, of)
    logits = torch.stack([one.probabilities.log() for one in found])
    torch.testing.assert_close(together.probabilities, mean(logits, of))
    assert together.labels == [NAMES[i] for i in together.probabilities.argmax(1).tolist()]
    if of == "probabilities":
        model = mb.heads.Ensemble(heads)
        torch.testing.assert_close(model.predict(TEXTS).probabilities, together.probabilities)
    torch.testing.assert_close(averaged(found[:1], of).probabilities, found[0].probabilities)
    none = averaged([head.predict([]) for head in heads], of)
    assert len(none) == 0


def test_words_and_several_labels():
    heads = [mb.heads.TokenClassifier(bert(seed), ["O", "B"]) for seed in (0, 1)]
    found = [head.predict(TEXTS) for head in heads]
    together = averaged(found)
    for i, rows in enumerate(together.probabilities):
        wanted = (found[0].probabilities[i] + found[1].probabilities[i]) / 2
        torch.testing.assert_close(rows, wanted)
        assert together.labels[i] == ["OB"[k] for k in wanted.argmax(1).tolist()]
    heads = [
        mb.heads.SequenceClassifier(bert(seed), ["x", "y", "z"], "multi_label_classification")
        for seed in (0, 1)
    ]
    found = [head.predict(TEXTS) for head in heads]
    one, two = (said.probabilities for said in found)
    wanted = {
        "probabilities": (one + two) / 2,
        "logits": ((one.logit() + two.logit()) / 2).sigmoid(),
    }
    for of, shares in wanted.items():
        together = averaged(found, of)
        torch.testing.assert_close(together.probabilities, shares)
        assert together.labels == [
            [name for name, p in zip("xyz", row, strict=True) if p > 0.5] for row in shares.tolist()
        ]


def test_choices_are_named_by_their_text_and_trees_are_refused():
    text = ("good", ["a film", "a bad film"])
    below = bert()
    heads = [mb.heads.MultipleChoice(below, 2, auxiliary=0) for _ in range(2)]
    found = [head.predict([text]) for head in heads]
    together = averaged(found)
    assert together.labels == [text[1][int(together.probabilities[0].argmax())]]
    parser = mb.heads.Parser(below, NAMES, arc=4, relation=4)
    with pytest.raises(ValueError, match=r"labels are names of their columns, got \[\("):
        averaged([parser.predict(TEXTS)] * 2)


def test_an_ensemble_of_several_labels_and_none_of_numbers():
    several = [
        mb.heads.SequenceClassifier(bert(seed), 3, "multi_label_classification") for seed in (0, 1)
    ]
    ids = torch.tensor([[2, 5, 6, 3], [2, 7, 8, 3]])
    model = mb.heads.Ensemble(several).eval()
    wanted = sum(one(ids).sigmoid() for one in several) / 2
    torch.testing.assert_close(model(ids).exp(), wanted)
    numbers = mb.heads.SequenceClassifier(bert(), problem="regression")
    for odd in ([numbers, numbers], [several[0], mb.heads.SequenceClassifier(bert(), 3)]):
        with pytest.raises(ValueError, match="classifiers of one kind, and no regressions, got"):
            mb.heads.Ensemble(odd)


def test_what_cannot_be_averaged_is_refused():
    one = said([0.7, 0.2, 0.1])
    with pytest.raises(ValueError, match="at least one head, got none"):
        averaged([])
    with pytest.raises(ValueError, match="of must be 'probabilities' or 'logits', got 'votes'"):
        averaged([one], "votes")
    with pytest.raises(ValueError, match=r"same order, got \['no', 'maybe', 'yes'\] and \['yes'"):
        averaged([one, said([0.1, 0.2, 0.7], names=("yes", "maybe", "no"))])
    with pytest.raises(ValueError, match="predictions of the same texts in the same order"):
        averaged([one, said([0.7, 0.2, 0.1], inputs=("b", "a"))])
    with pytest.raises(ValueError, match="probabilities of labels, got some without"):
        averaged([one, Predictions(["a", "b"], [0.5, 1.5])])
    long, cut = (Predictions(["a b"], [["O"] * n], [torch.ones(n, 1)], ["O"]) for n in (2, 1))
    with pytest.raises(ValueError, match="read text 0 to different lengths"):
        averaged([long, cut])
