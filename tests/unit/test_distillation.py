"""Distillation: the loss by hand, its gradient at a high temperature, teachers of all kinds."""

import math

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.transfer import Distilled, soft_examples

SMALL = {"layers": 1, "heads": 2, "hidden": 32, "dropout": 0.0, "attention_dropout": 0.0}
NAMES = ["no", "maybe", "yes"]
TEXTS = ["a good film", "a bad film", "good"]
IDS = torch.tensor([[2, 7, 9, 3], [2, 8, 3, 0], [2, 5, 6, 3]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]])
BATCH = {"input_ids": IDS, "attention_mask": MASK, "labels": torch.tensor([0, 2, 1])}
WORDS = torch.tensor([[-100, 1, 2, -100], [-100, 0, -100, -100], [-100, -100, 1, -100]])


def bert(seed=0, tokenizer=None, **options):
    torch.manual_seed(seed)
    return mb.BERT(mb.BERTConfig(50, 8, **{**SMALL, "init_std": 0.5, **options}), tokenizer)


def classifier(seed=0, labels=NAMES, tokenizer=None, **options):
    model = bert(seed, tokenizer, **options)
    return mb.heads.SequenceClassifier(model, labels, dropout=0.0)


def lively(head):
    for name, parameter in head.named_parameters():
        if "encoder" not in name:
            torch.nn.init.normal_(parameter)
    return head


def by_hand(logits, others, labels, heat, weight):
    """The loss of each answer, number by number, with the probabilities of each teacher."""
    total = 0.0
    for row, *taught, label in zip(
        logits.tolist(), *(o.tolist() for o in others), labels.tolist(), strict=True
    ):

        def shares(scores, heat):
            e = [math.exp(s / heat) for s in scores]
            return [x / sum(e) for x in e]

        q, p = shares(row, heat), [shares(scores, heat) for scores in taught]
        p = [sum(column) / len(p) for column in zip(*p, strict=True)]
        kl = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        total += (1 - weight) * -math.log(shares(row, 1)[label]) + weight * heat**2 * kl
    return total


@pytest.mark.parametrize(("heat", "weight"), [(1.0, 1.0), (2.0, 0.5), (5.0, 0.9), (0.5, 0.0)])
@pytest.mark.parametrize("teachers", [1, 3])
def test_the_loss_by_hand(heat, weight, teachers):
    student = lively(classifier(0)).eval()
    others = [lively(classifier(seed)).eval() for seed in range(1, teachers + 1)]
    outputs = [other.output_of(BATCH).detach() for other in others]
    ways = [others, mb.heads.Ensemble(others)] if teachers > 1 else [others[0], others]
    for teacher in ways:
        loss, count = Distilled(student, teacher, temperature=heat, weight=weight).loss(BATCH)
        logits = student.output_of(BATCH).detach()
        wanted = by_hand(logits, outputs, BATCH["labels"], heat, weight)
        assert float(loss.detach()) == pytest.approx(wanted, rel=1e-4, abs=1e-6) and count == 3
    if weight == 0.0:
        torch.testing.assert_close(loss, student.loss(BATCH)[0])


def test_at_a_high_temperature_the_logits_are_matched():
    """Hinton et al. (2015), section 2.1: the gradient is (z - v) / N, each around its mean."""
    student, teacher = (lively(classifier(seed)).double().eval() for seed in (0, 1))
    z, v = (head.output_of(BATCH).detach() for head in (student, teacher))
    wanted = ((z - z.mean(1, keepdim=True)) - (v - v.mean(1, keepdim=True))) / 3
    student.output_of = lambda batch: z.requires_grad_()
    gradients = {}
    for heat in (1.0, 10.0, 1e4):
        loss, _ = Distilled(student, teacher, temperature=heat, weight=1.0).loss(BATCH)
        (gradients[heat],) = torch.autograd.grad(loss, z)
    errors = [float((gradients[heat] - wanted).abs().max()) for heat in (1.0, 10.0, 1e4)]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-3 * float(wanted.abs().max())


def test_the_teacher_is_lent_and_no_part_of_it():
    student, teacher = lively(classifier(0)), lively(classifier(1, dropout=0.5)).train()
    teacher.encoder.stack.eval()
    modes = [module.training for module in teacher.modules()]
    kept = {name: value.clone() for name, value in teacher.state_dict().items()}
    taught = Distilled(student, teacher)
    assert {id(p) for p in taught.parameters()} == {id(p) for p in student.parameters()}
    assert not [name for name in taught.state_dict() if not name.startswith("student.")]
    groups = [mb.transfer.layer_groups(one) for one in (taught, student)]
    assert [list(map(id, group)) for group in groups[0]] == [
        list(map(id, group)) for group in groups[1]
    ]
    first, again = (taught.loss(BATCH)[0] for _ in range(2))  # no dropout in the teacher
    assert torch.equal(first, again)
    first.backward()
    assert all(p.grad is None and p.requires_grad for p in teacher.parameters())
    mb.fit(taught, [BATCH], steps=2, progress=False, device="cpu")
    assert [module.training for module in teacher.modules()] == modes
    assert all(torch.equal(value, kept[name]) for name, value in teacher.state_dict().items())
    assert not student.training
    teacher.output_of = lambda batch: 1 / 0
    with pytest.raises(ZeroDivisionError):
        taught.loss(BATCH)
    assert [module.training for module in teacher.modules()] == modes


def test_a_student_learns_its_teacher_by_heart():
    student, teacher = lively(classifier(0)), lively(classifier(1))
    batch = {"input_ids": IDS, "attention_mask": MASK}
    taught = Distilled(student, teacher, weight=1.0)
    before = float(taught.loss(batch)[0].detach())
    mb.fit(taught, [batch], steps=100, optimizer=mb.optim.adamw(student, 0.02), progress=False,
           device="cpu")  # fmt: skip
    assert float(taught.loss(batch)[0].detach()) < 0.02 * before


HEADS = {
    "TokenClassifier": lambda seed: mb.heads.TokenClassifier(bert(seed), NAMES, dropout=0.0),
    "MaskedLM": lambda seed: mb.heads.MaskedLM(bert(seed)),
    "CausalLM": lambda seed: mb.heads.CausalLM(
        mb.GPT(mb.GPTConfig(50, 8, **SMALL, init_std=0.5))
    ),
    "LSTM": lambda seed: mb.heads.CausalLM(mb.AWDLSTM(mb.AWDLSTMConfig(50, 6, 8, 2))),
}  # fmt: skip


@pytest.mark.parametrize("kind", HEADS)
def test_words_and_language_models_are_taught_place_by_place(kind):
    heads = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        heads.append(lively(HEADS[kind](seed)).eval())
    student, teacher = heads
    text = kind in ("CausalLM", "LSTM")
    batch = {"input_ids": IDS, "attention_mask": MASK} | ({} if text else {"labels": WORDS})
    loss, count = Distilled(student, teacher, temperature=3.0, weight=0.4).loss(batch)
    if text:
        places, labels = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)], []
        labels = [int(IDS[row, place + 1]) for row, place in places]
    else:
        places, labels = [(0, 1), (0, 2), (1, 1), (2, 2)], [1, 2, 0, 1]
    rows, columns = zip(*places, strict=True)
    z, v = (head.output_of(batch).detach()[list(rows), list(columns)] for head in heads)
    wanted = by_hand(z, [v], torch.tensor(labels), 3.0, 0.4)
    assert float(loss.detach()) == pytest.approx(wanted, rel=1e-4) and count == len(places)
    plain, same = Distilled(student, teacher, weight=0.0).loss(batch), student.loss(batch)
    torch.testing.assert_close(plain[0], same[0])
    assert plain[1] == same[1]


def with_words(seed=0, labels=NAMES):
    return classifier(seed, labels, mb.text.WordPiece.train(TEXTS, 40))


def test_soft_labels_teach_what_the_teacher_would():
    student, teacher = lively(with_words(0)), lively(with_words(1))
    examples = soft_examples(student, TEXTS, teacher.predict(TEXTS))
    assert [set(example) for example in examples] == [
        {"input_ids", "token_type_ids", "soft_labels"}
    ] * 3
    (batch,) = student.batches(examples, 3)
    assert batch["soft_labels"].dtype == torch.float32
    for heat in (1.0, 4.0):
        given = Distilled(student, temperature=heat, weight=1.0).loss(batch)
        taught = Distilled(student, teacher, temperature=heat, weight=1.0).loss(batch)
        torch.testing.assert_close(given[0], taught[0], atol=1e-5, rtol=1e-4)
        assert given[1] == taught[1] == 3
    sure = np.eye(3)[[0, 2, 1]]
    (batch,) = student.batches(
        soft_examples(student, TEXTS, sure), 3, shuffle=False, by_length=False
    )
    loss, _ = Distilled(student, temperature=1.0, weight=1.0).loss(batch)
    labels = {**batch, "labels": torch.tensor([0, 2, 1])}
    torch.testing.assert_close(loss, student.loss(labels)[0])  # the entropy of sure labels is 0
    loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in student.parameters())


def test_a_teacher_of_another_kind_teaches_by_its_predictions():
    vocab = mb.text.Vocab.train(TEXTS, 20)
    torch.manual_seed(0)
    teacher = mb.heads.PoolingClassifier(
        mb.AWDLSTM(mb.AWDLSTMConfig(len(vocab), 6, 8, 2), vocab), NAMES
    )
    student = with_words()
    with pytest.raises(ValueError, match="expected a teacher with the student's tokenizer"):
        Distilled(student, teacher)
    together = mb.heads.averaged([teacher.predict(TEXTS), with_words(1).predict(TEXTS)])
    batches = student.batches(soft_examples(student, TEXTS, together), 3)
    history = mb.fit(Distilled(student, weight=1.0), batches, steps=30, progress=False,
                     optimizer=mb.optim.adamw(student, 0.01), device="cpu")  # fmt: skip
    assert history.loss[-1] < history.loss[0]


def test_what_cannot_teach_is_refused():
    student = classifier()
    for heat in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="temperature must be above 0"):
            Distilled(student, student, temperature=heat)
    for weight in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="weight must be from 0 to 1"):
            Distilled(student, student, weight=weight)
    for labels in (["yes", "maybe", "no"], 2, 3):
        with pytest.raises(ValueError, match=r"the student's labels \['no', 'maybe', 'yes'\], got"):
            Distilled(student, classifier(1, labels))
    with pytest.raises(ValueError, match="at least one teacher, got an empty list"):
        Distilled(student, [])
    numbers = mb.heads.SequenceClassifier(bert(), problem="regression")
    heads = [getattr(mb.heads, n)(bert()) for n in ("SpanExtractor", "Pretraining", "NextSentence")]
    for odd in (numbers, *heads, mb.heads.Parser(bert(), NAMES), bert()):
        name = type(odd).__name__
        with pytest.raises(ValueError, match=f"choose one of several classes, got a {name}"):
            Distilled(student, odd)
        with pytest.raises(ValueError, match=f"choose one of several classes, got a {name}"):
            Distilled(odd, student)
    stream = mb.heads.CausalLM(mb.AWDLSTM(mb.AWDLSTMConfig(20, 6, 8, 2)))
    with pytest.raises(ValueError, match="a batch of texts, .* got one of a stream, with targets"):
        Distilled(stream, stream).loss(next(iter(stream.encoder.batches(np.arange(20), 2, 5))))
    with pytest.raises(ValueError, match="expected soft_labels in the batch"):
        Distilled(student).loss(BATCH)
    with pytest.raises(ValueError, match=r"answers of shape \(3, 3\), got \(3, 2\)"):
        Distilled(student).loss({**BATCH, "soft_labels": torch.full((3, 2), 0.5)})
    soft = {"input_ids": IDS, "soft_labels": torch.full((3, 3), 1 / 3)}
    with pytest.raises(ValueError, match="expected labels in the batch"):
        Distilled(student).loss(soft)
    words = mb.heads.TokenClassifier(bert(), NAMES)
    with pytest.raises(ValueError, match="expected labels in the batch"):
        Distilled(words, words, weight=1.0).loss({"input_ids": IDS})


def test_soft_labels_that_are_none_are_refused():
    student = with_words()
    with pytest.raises(ValueError, match=r"probabilities of shape \(3, 3\), got \(2, 3\)"):
        soft_examples(student, TEXTS, np.full((2, 3), 1 / 3))
    for row in ([0.5, 0.6, 0.0], [1.5, -0.5, 0.0], [math.nan, 0.5, 0.5]):
        with pytest.raises(ValueError, match="add up to 1, row 1 has"):
            soft_examples(student, TEXTS, np.array([[1, 0, 0], row, [0, 0, 1]]))
    other = lively(with_words(1, ["yes", "maybe", "no"]))
    with pytest.raises(ValueError, match="expected a teacher with the student's labels"):
        soft_examples(student, TEXTS, other.predict(TEXTS))
    words = [mb.heads.TokenClassifier(one.encoder, NAMES) for one in (student, other)]
    with pytest.raises(ValueError, match="one row of probabilities for each text"):
        soft_examples(words[0], TEXTS, words[1].predict(TEXTS))
