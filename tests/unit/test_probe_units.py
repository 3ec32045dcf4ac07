"""Units against labels and attention heads against trees: planted ones are found."""

import pytest
import torch

import minibert as mb
from minibert.heads.reading import reader_of
from minibert.probe import units

TREE = [1, 2, -1, 2, 2]
NAMES = ["det", "nsubj", "root", "advmod", "punct"]


def planted(count=400, dim=12, seed=0):
    """Rows of noise; unit 3 tells A from the others, units 5 and 7 together tell B."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(count, dim, generator=random)
    kinds = torch.randint(3, (count,), generator=random)
    x[:, 3] += 4.0 * (kinds == 0)
    x[:, 5] -= 2.5 * (kinds == 1)
    x[:, 7] += 2.5 * (kinds == 1)
    return x * 10.0 + 3.0, ["ABC"[i] for i in kinds.tolist()]


def test_a_few_units_suffice_and_are_found():
    x, y = planted()
    fitted = mb.probe.Sparse().fit(x, y, planted(seed=1))
    assert {3, 5, 7} <= {*fitted.units} and fitted.units[0] == 3
    assert {*mb.probe.Sparse(100.0).fit(x, y).units} <= {3, 5, 7}
    assert mb.probe.Sparse(1e6).fit(x, y).units == []
    assert fitted.score(*planted(seed=2)) > 0.85


def test_the_minimum_is_one():
    """Where a weight is not zero the gradient is the penalty, elsewhere it is smaller."""
    x, y = planted(150)
    fitted = mb.probe.Sparse(5.0, tolerance=1e-7).fit(x, y, planted(50, seed=1))
    weights = fitted.weights.clone().requires_grad_()
    logits = fitted.standard(x) @ weights[:-1] + weights[-1]
    torch.nn.functional.cross_entropy(logits, fitted.numbers(y), reduction="sum").backward()
    zero = fitted.weights[:-1] == 0
    assert 0 < zero.sum() < zero.numel()
    slopes = weights.grad[:-1]
    torch.testing.assert_close(
        slopes[~zero], -5.0 * fitted.weights[:-1][~zero].sign(), rtol=0, atol=0.02
    )
    assert slopes[zero].abs().max() < 5.02 and weights.grad[-1].abs().max() < 0.02


def test_mean_differences_are_those_of_each_unit():
    x, y = planted()
    x[:, 0] = 2.0  # never varies
    names, found = mb.probe.mean_differences(x, y)
    assert names == ["A", "B", "C"] and found.shape == (3, 12)
    has = torch.tensor([label == "A" for label in y])
    a, b = x[has, 3], x[~has, 3]
    within = (((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()) / (len(x) - 2)
    assert float(found[0, 3]) == pytest.approx(float((a.mean() - b.mean()) / within.sqrt()), 1e-4)
    assert not found[:, 0].any()
    assert mb.probe.ranked(found)[0] == 3 and {*mb.probe.ranked(found)[:3]} == {3, 5, 7}


def test_the_first_units_of_a_good_order_tell_more():
    train, test = planted(), planted(seed=1)
    order = mb.probe.ranked(mb.probe.mean_differences(*train)[1])
    best = mb.probe.with_units(train, test, order, [1, 3, 12])
    worst = mb.probe.with_units(train, test, order[::-1], [1, 3, 12])
    assert list(best) == [1, 3, 12] and best[3] > worst[3] + 0.2 and best[12] == worst[12]


def test_labels_and_units_that_do_not_fit_are_refused():
    x, y = planted(30)
    order = list(range(12))
    for act, told in [
        (lambda: mb.probe.mean_differences(x, y[1:]), "a label for each row of .30, 12., got 29"),
        (lambda: mb.probe.mean_differences(x, ["A"] * 30), "at least two labels"),
        (lambda: mb.probe.mean_differences(x, ["A"] * 29 + ["B"]), "two rows or more"),
        (lambda: mb.probe.Sparse(0.0), "penalties above 0"),
        (lambda: mb.probe.Sparse().fit(x, y[1:]), "a label for each row"),
        (lambda: mb.probe.with_units((x, y), (x, y), order, [13]), "counts from 1 to 12"),
        (lambda: mb.probe.with_units((x, y), (x, y), [0, 0], [1]), "different units of 12"),
        (lambda: mb.probe.with_units((x, y), (x, y), [12], [1]), "different units of 12"),
    ]:
        with pytest.raises(ValueError, match=told):
            act()


def test_a_sparse_probe_serves_by_layer():
    x, y = planted(200)
    states = mb.probe.States([x.flip(0), x], [["w"] * 5 for _ in range(40)])
    found = mb.probe.probe(states, y, make=units.Sparse, mix=False)
    assert found.best == 1


# Heads.


def attention(*rows):
    """(1 layer, 1 head, words, words) with attention where ``rows`` say."""
    found = torch.zeros(1, 1, len(rows), len(rows))
    for word, place in enumerate(rows):
        found[0, 0, word, place] = 0.5
    return found


def test_a_head_that_looks_at_heads_is_found():
    right, before = attention(1, 2, 0, 2, 2), attention(0, 0, 1, 2, 3)
    both = torch.cat((before, right), 1)  # (1 layer, 2 heads, ...)
    found = mb.probe.head_arcs([both, both], [TREE, TREE], [NAMES, NAMES])
    assert list(found)[0] == "all" and {*found} == {"all", "det", "nsubj", "advmod", "punct"}
    whole = found["all"]
    assert whole.scores.tolist() == [[0.25, 1.0]] and whole.best == (1, 1, 1.0)
    assert whole.count == 8 and (whole.offset, whole.baseline) == (1, 0.5)
    assert (found["punct"].offset, found["punct"].baseline) == (-2, 1.0)
    back = mb.probe.head_arcs([right], [TREE], forward=False)["all"]
    assert (
        back.scores.tolist() == [[0.0]] and not back.forward and list(back.scores.shape) == [1, 1]
    )
    looks = attention(4, 0, 1, 0, 0)  # word 1 at 0, word 2 at 1
    assert mb.probe.head_arcs([looks], [TREE], forward=False)["all"].scores.tolist() == [[0.5]]


def test_a_word_does_not_choose_itself_or_what_it_cannot_see():
    alone = torch.zeros(1, 1, 2, 2)
    alone[0, 0, 0, 0] = 0.9  # word 0 sees itself alone: no choice at all
    alone[0, 0, 1] = torch.tensor([0.1, 0.9])
    assert mb.probe.head_arcs([alone], [[1, -1]])["all"].scores.tolist() == [[0.0]]
    assert mb.probe.head_arcs([alone], [[-1, 0]])["all"].scores.tolist() == [[1.0]]


@pytest.mark.parametrize("kind, name", [(mb.BERT, "minibert-bert"), (mb.GPT, "minibert-gpt")])
def test_attention_between_words_is_summed_to_and_averaged_from(kind, name):
    model = kind.from_pretrained(name).eval()
    words = ["The", "Unaffable", "baker", "sings", "."]
    (found,) = mb.probe.word_attention(model, [words])
    example = reader_of(model).words(words)
    ids = torch.tensor([list(example["input_ids"])])
    with torch.no_grad():
        weights = model(ids, output_attentions=True).attentions
    ends = [*example["words"][1:], ids.shape[1] - len(reader_of(model).ends[1])]
    spans = [range(a, b) for a, b in zip(example["words"], ends, strict=True)]
    assert max(map(len, spans)) > 1 and found.shape[2:] == (5, 5)
    for i, ours in enumerate(spans):
        for j, theirs in enumerate(spans):
            wanted = sum(weights[1][0, 2, a, b] for a in ours for b in theirs) / len(ours)
            assert float(found[1, 2, i, j]) == pytest.approx(float(wanted), abs=1e-5)
    assert bool((found.sum(-1) < 1.00001).all())


def test_what_has_no_attention_or_does_not_fit_is_refused():
    table = mb.Word2Vec.from_pretrained("minibert-word2vec")
    with pytest.raises(ValueError, match="attention is a part of a BERT or a GPT"):
        mb.probe.word_attention(table, ["a"])
    one = attention(1, 0)
    for given, told in [
        (([one], [[1, -1, 0]]), "sentence 0 has 2 words, but 3 heads"),
        (([one], [[1, -1]], [["a"]]), "sentence 0 has 2 words"),
        (([one, one], [[1, -1]]), "of the same sentences, got 2, 1 and 1"),
        (([one], [[2, -1]]), "word 0 of sentence 0 has the head 2"),
        (([one], [[0, -1]]), "word 0 of sentence 0 has the head 0"),
        (([one], [[-1, -1]]), "at least one arc"),
    ]:
        with pytest.raises(ValueError, match=told):
            mb.probe.head_arcs(*given)
