"""Texts in, labels and probabilities out: for every head on every encoder that can read them."""

import warnings

import pytest
import torch

import minibert as mb
from tests.unit.test_heads_saved import (
    ENCODERS,
    HEADS,
    NAMES,
    PIECE,
    SMALL,
    made,
    refused,
    remembered,
)

TEXTS = ["this is a good film", "bad", "This film is old"]
PAIRS = [("a good film", "this is good"), ("old", "new"), ("a film", "bad")]
ASKED = {
    "TokenClassifier": [TEXTS[0], ["bad", "film"], TEXTS[2]],
    "Tagger": [TEXTS[0], ["bad", "film"], TEXTS[2]],
    "MaskedLM": ["this is [MASK] film", "[MASK] [MASK]", "a [MASK]"],
    "MultipleChoice": [("a film", ["good", "bad"]), ("is", ["new", "old"]), ("a", ["film", "is"])],
}
ASKED["Parser"] = ASKED["Tagger"]
ASKED |= dict.fromkeys(("NextSentence", "SpanExtractor", "Similarity", "PairClassifier"), PAIRS)
ASKED["Pretraining"] = ASKED["MaskedLM"]
NO_PAIRS = {"Table", "ELMo of words", "LayerMix of Table"}


ASKED["DoubleHeads"] = ASKED["MultipleChoice"]
PIECES = ("BERT", "LeftToRight", "LayerMix", "scalar")  # with a WordPiece
BLENDED = {"SpanExtractor", "RNNClassifier"}  # no shares that sum to one


def hindered(head, encoder):
    """What is said where a head exists and its encoder cannot read what it asks for, or None."""
    if head in ("MaskedLM", "Pretraining", "SpanExtractor") and encoder not in PIECES:
        return "a model whose tokenizer has"
    pairs = head in ("NextSentence", "Similarity", "MultipleChoice")
    return "no token that parts two texts" if pairs and encoder in NO_PAIRS else None


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("head", HEADS)
def test_each_head_predicts_on_each_encoder(head, encoder, tmp_path):
    if refused(head, encoder):
        return  # see test_heads_saved.py
    model, asked = made(head, encoder), ASKED.get(head, TEXTS)
    if said := hindered(head, encoder):
        with pytest.raises(ValueError, match=said):
            model.predict(asked)
        return
    modes = [module.training for module in model.modules()]
    found = model.predict(asked)
    assert [module.training for module in model.modules()] == modes and model.training
    assert len(found) == len(found.labels) == len(found.probabilities) == 3
    assert str(found).startswith("3 predictions\n")
    for i, one in enumerate(asked):  # in their order, whatever the batches
        alone = model.predict([one])
        assert alone.labels[0] == found.labels[i]
        torch.testing.assert_close(alone.probabilities[0], found.probabilities[i])
    if head not in BLENDED:
        for shares in found.probabilities:
            torch.testing.assert_close(shares.sum(-1), torch.ones(shares.shape[:-1]))
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).predict(asked, batch_size=2)
    assert again.labels == found.labels
    for p, q in zip(again.probabilities, found.probabilities, strict=True):
        torch.testing.assert_close(p, q)


REVIEWS = {
    "positive": ["this is a good film", "a good new film", "Good film", "this new film is good"],
    "negative": ["this is a bad film", "a bad old film", "Bad film", "this old film is bad"],
}
LEARNED = {
    "AWDLSTM": lambda: mb.heads.PoolingClassifier(ENCODERS["AWDLSTM"](), list(REVIEWS)),
    "BERT": lambda: mb.heads.SequenceClassifier(ENCODERS["BERT"](), list(REVIEWS), dropout=0.0),
    "GPT": lambda: mb.heads.LastToken(ENCODERS["GPT"](), list(REVIEWS), dropout=0.0),
    "Table": lambda: mb.heads.CNNClassifier(ENCODERS["Table"](), list(REVIEWS), dropout=0.0),
}


@pytest.mark.parametrize("encoder", LEARNED)
def test_a_classifier_of_ones_own_from_texts_to_labels(encoder, tmp_path):
    """The whole way: texts and names of labels in, training, predictions, a folder, the same."""
    texts = [text for some in REVIEWS.values() for text in some]
    labels = [name for name, some in REVIEWS.items() for _ in some]
    torch.manual_seed(0)
    head = LEARNED[encoder]()
    batches = head.batches(head.examples(texts, labels), batch_size=8)
    mb.fit(head, batches, steps=60, optimizer=mb.optim.adamw(head, 0.02), progress=False)
    found = head.predict(texts)
    assert found.labels == labels
    head.save_pretrained(tmp_path)
    again = mb.heads.load(tmp_path).predict(texts)
    assert again.labels == labels and again.names == list(REVIEWS)
    assert torch.equal(again.probabilities, found.probabilities)


def test_what_is_asked_and_what_is_given():
    head = made("SequenceClassifier", "BERT").eval()
    one = head.predict("a good film")
    assert len(one) == 1 and one.labels[0] in NAMES and one.probabilities.shape == (1, 3)
    (best,) = one.best(2)
    assert best[0][0] == one.labels[0] and best[0][1] == one.probabilities.max() > best[1][1]
    none = head.predict([])
    assert len(none) == 0 and none.labels == [] and str(none) == "0 predictions"
    both = head.predict([("a film", "good"), "a film"])
    assert not torch.equal(both.probabilities[0], both.probabilities[1])
    for wrong in (3, ("a", "b", "c"), [["a", 1]], None):
        with pytest.raises(ValueError, match="expected a text, or a pair"):
            head.predict([wrong])
    with pytest.raises(ValueError, match="expected a pair"):
        made("NextSentence", "BERT").predict(["a film"])
    with pytest.raises(ValueError, match=r"expected \(context, choices\) with 2 choices"):
        made("MultipleChoice", "GPT").predict([("a", ["b", "c", "d"])])
    with pytest.raises(ValueError, match=r"expected \[MASK\] in the text"):
        made("MaskedLM", "BERT").predict(["a film"])
    bare = mb.heads.SequenceClassifier(mb.BERT(mb.BERTConfig(20, **SMALL)), 2)
    with pytest.raises(ValueError, match="neither a tokenizer nor a vocabulary"):
        bare.predict(["a"])


def test_long_texts_are_cut_with_a_word_and_windows_are_not():
    long = " ".join(["film"] * 40)
    for head, encoder in (("SequenceClassifier", "BERT"), ("LastToken", "GPT")):
        model = made(head, encoder).eval()
        with pytest.warns(UserWarning, match="1 of 2 texts are longer than the 24 tokens"):
            found = model.predict([long, "bad"])
        assert len(found) == 2
    words = made("TokenClassifier", "BERT").eval()
    with pytest.warns(UserWarning, match="1 of 1 texts are longer"):
        assert len(words.predict([long]).labels[0]) == 22  # and [CLS] and [SEP]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made("SpanExtractor", "BERT").predict([("good", long)])
        made("PoolingClassifier", "AWDLSTM").eval().predict([long])


def test_several_labels_and_numbers():
    torch.manual_seed(0)
    head = mb.heads.SequenceClassifier(ENCODERS["BERT"](), NAMES, "multi_label_classification")
    examples = head.examples(["a", "b", "c"], [["positive", "neutral"], [], [0, 1, 1]])
    assert [e["labels"] for e in examples] == [[0.0, 1.0, 1.0], [0.0] * 3, [0.0, 1.0, 1.0]]
    found = head.predict(["a good film"])
    chosen = [n for n, p in zip(NAMES, found.probabilities[0], strict=True) if p > 0.5]
    assert found.labels == [chosen]
    number = mb.heads.SequenceClassifier(ENCODERS["BERT"](), problem="regression")
    assert number.examples(["a"], ["3.5"])[0]["labels"] == 3.5
    found = number.predict(["a good film", "bad"])
    assert found.probabilities is None and all(type(one) is float for one in found.labels)
    with pytest.raises(ValueError, match="no names to rank"):
        found.best()
    two = mb.heads.SequenceClassifier(ENCODERS["BERT"](), 2, "regression")
    assert len(two.predict(["a film"]).labels[0]) == 2
    with torch.no_grad():
        two.output.bias[0] = -torch.inf
    with pytest.raises(FloatingPointError, match="not finite"):
        two.predict(["a film"])


@pytest.mark.parametrize(
    ("labels", "problem", "given", "said"),
    [
        (NAMES, None, "good", "one of the labels negative, positive, neutral, got 'good'"),
        (NAMES, None, 3, "got 3"),
        (2, None, "0", "one of the labels 0 to 1, got '0'"),
        (2, None, 0.5, "got 0.5"),
        (2, None, -1, "got -1"),
        (NAMES, "multi_label_classification", "positive", "a list of labels"),
        (NAMES, "multi_label_classification", [0, 1], "0 or 1 for each of 3"),
        (NAMES, "multi_label_classification", ["good"], "got 'good'"),
    ],
)
def test_labels_that_are_none_are_told(labels, problem, given, said):
    problem = {} if problem is None else {"problem": problem}
    head = mb.heads.SequenceClassifier(ENCODERS["BERT"](), labels, **problem)
    with pytest.raises(ValueError, match=said):
        head.examples(["a film"], [given])


@pytest.mark.usefixtures("unchecked")
def test_losses_refuse_labels_of_another_problem():
    ids = torch.ones(2, 4, dtype=torch.long)
    classes = made("SequenceClassifier", "BERT")
    several = mb.heads.SequenceClassifier(ENCODERS["BERT"](), 3, "multi_label_classification")
    for head, labels, said in (
        (classes, torch.tensor([0.0, 1.0]), "expected labels as int64"),
        (classes, torch.tensor([0, 3]), "labels from 0 to below 3"),
        (several, torch.tensor([0, 1]), r"takes labels of shape \(2, 3\), got \(2,\)"),
    ):
        with pytest.raises(ValueError, match=said):
            head.loss({"input_ids": ids, "labels": labels})


def test_words_of_a_vocabulary_in_lower_case_and_without_unknown_ones():
    head = made("PoolingClassifier", "AWDLSTM").eval()
    assert head.examples(["GOOD film"]) == head.examples(["good film"])
    assert head.examples(["good"])[0]["input_ids"] == [2, 5]  # after the start token
    tagger = made("Tagger", "Table")
    assert tagger.examples(["GOOD film"]) == tagger.examples(["good film"])
    backward = made("PoolingClassifier", "backward").examples(["good"])
    assert backward[0]["input_ids"] == [5, 2]
    vocab = mb.text.Vocab(["Good", "film"], specials=())
    table = mb.heads.CNNClassifier(mb.heads.Table(torch.randn(2, 3), vocab), 2)
    assert table.examples(["Good other film"])[0]["input_ids"] == [0, 1]


def test_a_label_for_each_word_and_none_for_what_is_not():
    head = made("TokenClassifier", "BERT").eval()
    (example,) = head.examples([["films", "good"]], [["B-X", "O"]])
    assert example["input_ids"] == PIECE.pair("films good")["input_ids"]
    assert example["labels"] == [-100, 1, -100, 0, -100]
    found = head.predict(["this film", ["is", "good"]])
    assert found.inputs == [["this", "film"], ["is", "good"]]
    assert [tuple(p.shape) for p in found.probabilities] == [(2, 2), (2, 2)]
    assert f"this/{found.labels[0][0]}" in str(found)
    with pytest.raises(ValueError, match="1 labels for the 2 words"):
        head.examples([["films", "good"]], [["O"]])


def test_similarity_reads_a_pair_in_both_orders():
    head = made("Similarity", "GPT")
    one, other = head.examples([("a good film", "bad"), ("bad", "a good film")])
    assert one["input_ids"][0] != one["input_ids"][1]
    assert one["input_ids"] == other["input_ids"][::-1]


def test_scores_that_are_not_finite_decide_nothing():
    head = made("SequenceClassifier", "BERT")
    torch.nn.init.constant_(head.output.bias, float("nan"))
    with pytest.raises(FloatingPointError, match="not finite"):
        head.predict(["a film"])
    assert head.training


def test_sentences_that_were_not_remembered_need_the_model():
    tagger = mb.heads.Tagger(remembered(), ["O", "B-X"])
    with pytest.raises(ValueError, match="head.encoder.contextual = mb.heads.Live"):
        tagger.predict(["a film"])
    tagger.encoder.contextual = mb.heads.Live(ENCODERS["ELMo"]())
    assert len(tagger.predict(["a film"]).labels[0]) == 2


@pytest.mark.usefixtures("unchecked")
def test_a_table_is_no_list_of_texts_and_texts_are_no_examples():
    pd = pytest.importorskip("pandas")
    vocab = mb.text.Vocab(["<pad>", "<unk>", "good", "film"])
    head = mb.heads.CNNClassifier(mb.heads.Table(torch.randn(4, 3), vocab), ["no", "yes"])
    table = pd.DataFrame({"text": ["good", "film good"], "label": ["yes", "no"]})
    for act in (head.predict, head.examples):
        with pytest.raises(ValueError, match="got a DataFrame: give one column of it"):
            act(table)
    found = head.examples(table["text"], table["label"])
    assert [one["labels"] for one in found] == [1, 0]
    for act in (head.batches, lambda texts: mb.heads.run(head, texts)):
        with pytest.raises(ValueError, match="each a dict with input_ids"):
            act(["good", "film"])
