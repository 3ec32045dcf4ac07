"""The parser: its formulas word by word, its trees among all trees, its scores on CoNLL-U."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import minibert as mb
from minibert.heads.parser import Biaffine
from minibert.text.inputs import IGNORE
from tests.unit.test_heads_saved import ENCODERS

RELATIONS = ["root", "nsubj", "det", "amod", "cop"]
SENTENCES = [
    ["this", "is", "a", "good", "film"],
    ["films", "is", "new"],  # the first word has two pieces
    ["bad"],
    ["a", "film", "a", "film"],
]
TREES = [
    [(4, "nsubj"), (4, "cop"), (4, "det"), (4, "amod"), (-1, "root")],
    [(2, "nsubj"), (2, "cop"), (-1, "root")],
    [(-1, "root")],
    [(1, "det"), (-1, "root"), (3, "det"), (1, "amod")],
]
ON = [name for name in ENCODERS if name not in ("ContextEncoder", "Live")]


def parser(encoder="BERT", **options):
    torch.manual_seed(0)
    sizes = {"arc": 7, "relation": 5, "dropout": 0.0, **options}
    head = mb.heads.Parser(ENCODERS[encoder](), RELATIONS, **sizes)
    for part in (head.arcs, head.relations):
        torch.nn.init.normal_(part.weight)
    return head


# The highest tree


def is_tree(heads):
    """Whether one word has the head -1, and each word leads to it."""
    for word in range(len(heads)):
        for _ in heads:
            word = heads[word] if word >= 0 else word
        if word != -1:
            return False
    return heads.count(-1) == 1


def all_trees(words):
    found = filter(is_tree, map(list, itertools.product(range(-1, words), repeat=words)))
    return np.array(list(found))


def total(scores, heads):
    """The sum of the scores of the arcs; heads (..., words)."""
    return scores[np.arange(len(scores)), np.asarray(heads) + 1].sum(-1)


@pytest.mark.parametrize("words", [1, 2, 3, 4, 5])
def test_the_highest_tree_is_the_best_of_all_trees(words):
    trees, random = all_trees(words), np.random.default_rng(words)
    assert len(trees) == words ** (words - 1)  # Cayley's formula
    for trial in range(150):
        scores = random.normal(size=(words, words + 1))
        if trial % 3 == 1:  # ties
            scores = scores.round()
        if trial % 3 == 2:  # each word would rather depend on the root
            scores[:, 0] += 5
        found = mb.heads.highest_tree(torch.tensor(scores))
        sums = total(scores, trees)
        assert is_tree(found) and math.isclose(total(scores, found), sums.max(), abs_tol=1e-9)
        if trial % 3 != 1:
            assert found == trees[sums.argmax()].tolist()


def test_a_tree_is_found_in_scores_of_any_size_and_in_its_own_arcs():
    assert mb.heads.highest_tree(torch.zeros(0, 1)) == []
    for size in (1.0, 1e30, 1e-30):
        scores = torch.full((3, 4), -size)
        scores[0, 0] = scores[1, 1] = scores[2, 2] = size
        scores[[0, 1, 2], [1, 2, 3]] = math.nan  # a word as its own head
        assert mb.heads.highest_tree(scores) == [-1, 0, 1]
    ring = torch.zeros(200, 201)  # each word depends on the next one, and the last on the first
    ring[torch.arange(200), 1 + (torch.arange(200) + 1) % 200] = 1.0
    ring[7, 0] = 0.5
    heads = [(word + 1) % 200 if word != 7 else -1 for word in range(200)]
    assert mb.heads.highest_tree(ring) == heads
    for document in mb.world.generate(tokens=500, seed=0).documents:
        for sentence in document.sentences:
            heads = list(sentence.head)
            mb.heads.check_tree(heads, "it")
            arcs = F.one_hot(torch.tensor(heads) + 1, len(heads) + 1).double()
            assert mb.heads.highest_tree(arcs) == heads


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        ([-1, 0, 3], "it is no tree: expected heads from 0 to 2, or -1 for the root, got 3 at wo"),
        ([-1, -2], "got -2 at word 1"),
        ([-1, "0"], "got '0' at word 1"),
        ([-1, 0.0], "got 0.0 at word 1"),
        ([-1, 0, -1], "expected one word whose head is -1, the root, got 2"),
        ([0], "expected one word whose head is -1, the root, got 0"),
        ([], "expected one word whose head is -1, the root, got 0"),
        (
            [-1, 2, 3, 1, 0],
            "expected a way from each word to the root, got the cycle 1, 2, 3",
        ),
        ([-1, 1], "got the cycle 1"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_tree_is_told_in_one_sentence(heads, said):
    with pytest.raises(ValueError, match=said) as error:
        mb.heads.check_tree(heads, "it")
    assert "\n" not in str(error.value)
    mb.heads.check_tree([np.int64(1), np.int64(-1)], "it")


# The model


@torch.no_grad()
def test_a_biaffine_layer_is_its_formula():
    torch.manual_seed(0)
    x, y = torch.randn(2, 3, 4), torch.randn(2, 2, 4)
    for both in (True, False):
        layer = Biaffine(4, 3, both)
        assert not layer.weight.any()
        torch.nn.init.normal_(layer.weight)
        slow = torch.zeros(2, 3, 2, 3)
        for b, i, j, o in itertools.product(*map(range, slow.shape)):
            u, one, other = layer.weight[o], x[b, i], y[b, j]
            slow[b, i, j, o] = one @ u[:4, :4] @ other + u[4, :4] @ other
            if both:
                slow[b, i, j, o] += one @ u[:4, 4] + u[4, 4]
        torch.testing.assert_close(layer(x, y), slow)


@pytest.mark.parametrize("lstm", [0, 3])
def test_scores_are_those_of_each_pair_of_words(lstm):
    """In one sentence without padding, arc by arc: states, four MLPs, two biaffine forms."""
    head = parser("Table", lstm=lstm).eval()
    ids = torch.tensor([[5, 7, 4, 9]])
    arcs, relations = head(ids)
    assert arcs.shape == (1, 4, 5) and relations.shape == (1, 4, 5, 5)
    states = head.encoder.embedding(ids)
    states = (head.lstm(states)[0] if lstm else states)[0]
    assert len(getattr(head.lstm, "_all_weights", [])) == (6 if lstm else 0)  # three, both ways

    def view(name, state):
        layer = head.views[name][0]
        return F.leaky_relu(layer.weight @ state + layer.bias, 0.1)

    for i, j in itertools.product(range(4), range(5)):
        other = head.root if j == 0 else states[j - 1]
        x, y = view("arc_dependent", states[i]), view("arc_head", other)
        u = head.arcs.weight[0]
        right = torch.tensor(-math.inf) if j == i + 1 else x @ u[:-1] @ y + u[-1] @ y
        torch.testing.assert_close(arcs[0, i, j], right)
        x, y = view("relation_dependent", states[i]), view("relation_head", other)
        x, y = (torch.cat((v, torch.ones(1))) for v in (x, y))
        torch.testing.assert_close(relations[0, i, j], head.relations.weight @ y @ x)


@pytest.mark.parametrize("encoder", ON)
def test_the_loss_is_that_of_each_word_and_padding_costs_nothing(encoder):
    head = parser(encoder).eval()
    examples = head.examples(SENTENCES, TREES)
    (batch,) = head.batches(examples, batch_size=4)
    loss, count = head.loss(batch)
    assert count == 13
    slow = 0.0
    for example, tree in zip(examples, TREES, strict=True):
        ids = torch.from_numpy(np.array([example["input_ids"]]))
        arcs, relations = (scores[0].log_softmax(-1) for scores in head(ids))
        raw = head(ids)[0][0]
        places = example["words"]
        assert len(places) == len(tree)
        for place, (above, name) in zip(places, tree, strict=True):
            column = 0 if above == -1 else 1 + places[above]
            allowed = raw[place, [0, *(1 + one for one in places)]]  # not the later pieces
            arc = raw[place, column] - allowed.logsumexp(0)
            slow = slow - arc - relations[place, column, RELATIONS.index(name)]
            assert example["labels"][place] == RELATIONS.index(name)
            assert example["heads"][place] == column
        assert [i for i, one in enumerate(example["labels"]) if one != IGNORE] == places
    torch.testing.assert_close(loss, slow)


def test_the_gradient_is_that_of_finite_differences():
    head = parser("Table", lstm=2).double()
    (batch,) = head.batches(head.examples(SENTENCES, TREES), batch_size=4)
    head.loss(batch)[0].backward()
    for name in ("root", "arcs.weight", "relations.weight", "views.arc_head.0.bias"):
        parameter = head.get_parameter(name)
        at = tuple(size // 2 for size in parameter.shape)
        found = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                parameter[at] += step
                found.append(float(head.loss(batch)[0]))
                parameter[at] -= step
        slope = (found[0] - found[1]) / 2e-5
        assert math.isclose(float(parameter.grad[at]), slope, rel_tol=1e-4, abs_tol=1e-6)
        assert slope != 0


@pytest.mark.parametrize("encoder", ["BERT", "GPT", "AWDLSTM", "ELMo", "Table"])
def test_the_encoder_learns_from_arcs_and_from_relations(encoder):
    head = parser(encoder)
    (batch,) = head.batches(head.examples(SENTENCES, TREES), batch_size=4)
    for silent, loud in ((head.arcs, head.relations), (head.relations, head.arcs)):
        head.zero_grad()
        weight = silent.weight.detach().clone()
        torch.nn.init.zeros_(silent.weight)  # the views behind it get no gradient
        head.loss(batch)[0].backward()
        assert loud.weight.grad.any() and head.root.grad.any()
        assert any(p.grad is not None and p.grad.any() for p in head.encoder.parameters())
        silent.weight.data.copy_(weight)


def test_the_trees_of_a_batch_are_learned_from_words_to_predictions(tmp_path):
    torch.manual_seed(0)
    head = mb.heads.Parser(ENCODERS["Table"](), RELATIONS, 16, 8, dropout=0.0, lstm=8)
    sentences, trees = SENTENCES[:3], TREES[:3]
    batches = head.batches(head.examples(sentences, trees), batch_size=3)
    mb.fit(head, batches, steps=60, optimizer=mb.optim.adamw(head, 0.02), progress=False)
    found = head.predict(sentences)
    assert found.labels == trees
    assert mb.heads.attachment_scores(found.labels, trees) == {"uas": 1.0, "las": 1.0}
    head.save_pretrained(tmp_path)
    assert mb.heads.load(tmp_path).predict(sentences).labels == trees


@pytest.mark.parametrize("encoder", ON)
def test_predictions_are_trees_with_the_probabilities_of_heads(encoder):
    head = parser(encoder).eval()
    found = head.predict([*SENTENCES, "this is a good film"])
    for words, arcs, shares in zip(found.inputs, found.labels, found.probabilities, strict=True):
        assert is_tree([above for above, _ in arcs]) and len(arcs) == len(words)
        assert {name for _, name in arcs} <= set(RELATIONS)
        assert shares.shape == (len(words), 1 + len(words))
        assert not shares[:, 1:].diagonal().any()  # no word is its own head
    assert found.labels[0] == found.labels[4]
    assert f"this/{found.labels[0][0]}" in str(found)
    best = found.best(2)[0][3]  # of the fourth word of the first sentence
    shares = found.probabilities[0][3]
    assert best[0] == (int(shares.argmax()) - 1, float(shares.max()))
    numbers = mb.heads.Parser(ENCODERS[encoder](), 3, 4, 4).predict([["a", "film"]])
    assert {name for _, name in numbers.labels[0]} <= {0, 1, 2}


def test_padding_changes_nothing_wherever_it_stands():
    head = parser("Table", lstm=3).eval()
    ids, mask = torch.tensor([[5, 7, 4, 9]]), torch.ones(1, 4, dtype=torch.long)
    alone = head(ids, mask)
    for places in ([0, 1, 2, 3], [2, 3, 4, 5], [0, 2, 3, 5]):
        wide, there = torch.full((1, 6), 8), torch.zeros(1, 6, dtype=torch.long)
        wide[0, places], there[0, places] = ids[0], 1
        columns = [0, *(1 + place for place in places)]
        arcs, relations = (scores[:, places][:, :, columns] for scores in head(wide, there))
        torch.testing.assert_close((arcs, relations), alone)
        others = [1 + i for i in range(6) if i not in places]
        assert head(wide, there)[0][:, :, others].isneginf().all()


def test_a_head_that_was_cut_off_costs_nothing():
    head = parser().eval()
    with pytest.warns(UserWarning, match="1 of 1 texts are longer than the 5 tokens"):
        (cut,) = head.examples(SENTENCES[:1], TREES[:1], max_length=5)
    assert cut["words"] == [1, 2, 3]
    assert cut["labels"] == [IGNORE, 1, 4, 2, IGNORE] and set(cut["heads"]) == {IGNORE}
    tree = [(1, "nsubj"), (4, "cop"), (1, "det"), (4, "amod"), (-1, "root")]
    with pytest.warns(UserWarning):
        (some,) = head.examples(SENTENCES[:1], [tree], max_length=5)
    assert some["heads"] == [IGNORE, 1 + 2, IGNORE, 1 + 2, IGNORE]
    (batch,) = head.batches([some], 1)
    loss, count = head.loss(batch)
    assert count == 2 and loss.isfinite()
    raw = head(batch["input_ids"])[0][0][1, [0, 2, 3, 4]]  # the second word may still be a head
    relations = head(batch["input_ids"])[1][0].log_softmax(-1)
    third = head(batch["input_ids"])[0][0][3, [0, 2, 3, 4]]
    slow = raw.logsumexp(0) - raw[2] - relations[1, 3, 1]
    slow = slow + third.logsumexp(0) - third[2] - relations[3, 3, 2]
    torch.testing.assert_close(loss, slow)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("words", "tree", "said"),
    [
        (["a", "film"], [(1, "det")], r"\(head, relation\) for each of the 2 words of 'a film', g"),
        (["a", "film"], [[1, -1], ["det", "root"], []], "got 3: "),
        (["a", "film"], [1, -1], r"got 2: \[1, -1\]"),
        (["a", "film"], ([1, -1, 0], ["det", "root", "x"]), "got 2: "),
        (["a", "film"], [(1, "det"), (0, "root")], "'a film' is no tree: expected one word whose"),
        (["a", "film"], [(-1, "det"), (-1, "root")], "'a film' is no tree: .*got 2"),
        (["a", "film"], [(2, "det"), (-1, "root")], "'a film' is no tree: .*got 2 at word 0"),
        (["a", "a", "film"], [(1, "det"), (0, "det"), (-1, "root")], "got the cycle 0, 1"),
        (["a", "film"], [(1, "dett"), (-1, "root")], "one of the labels root, .* got 'dett'"),
        (["a", "film"], [(1, 5), (-1, 0)], "one of the labels root, .* got 5"),
        ([], [], r"expected a sentence of at least one word, got \[\]"),
        ("", [], "expected a sentence of at least one word, got ''"),
    ],
)
def test_trees_that_do_not_fit_are_refused_in_one_sentence(words, tree, said):
    with pytest.raises(ValueError, match=said) as error:
        parser().examples([words], [tree])
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("unchecked")
def test_sentences_that_cannot_be_parsed_are_refused():
    head = parser()
    for wrong, said in (
        ([[]], "at least one word, got"),
        ([""], r"at least one word, got \[\]"),
        ([["film", 3]], "expected a text, or a list of its words"),
    ):
        with pytest.raises(ValueError, match=said):
            head.predict(wrong)
    assert head.training and len(head.predict([])) == 0
    for name in ("ContextEncoder", "Live"):
        with pytest.raises(ValueError, match="stands on a model that gives a ModelOutput"):
            parser(name)
    for parts in (head.arcs, head.relations):
        broken = parts.weight.detach().clone()
        torch.nn.init.constant_(parts.weight, math.nan)
        with pytest.raises(FloatingPointError, match="not finite, so nothing can be chosen"):
            head.predict([["a", "film"]])
        parts.weight.data.copy_(broken)


# The scores


def conllu(sentences):
    """Sentences as text: lists of (word, head, relation), counted as CoNLL-U counts."""
    rows = [
        [f"{i}\t{w}\t_\tX\t_\t_\t{h}\t{r}\t_\t_\n" for i, (w, h, r) in enumerate(sentence, 1)]
        for sentence in sentences
    ]
    return "\n".join("".join(lines) for lines in rows) + "\n"


def slow_scores(ours, theirs):
    """From the text of two files, column by column (the official script, with given words)."""
    words = heads = both = 0
    for mine, right in zip(ours.splitlines(), theirs.splitlines(), strict=True):
        if not right:
            assert not mine
            continue
        mine, right = mine.split("\t"), right.split("\t")
        assert mine[:2] == right[:2]
        words += 1
        heads += mine[6] == right[6]
        both += mine[6] == right[6] and mine[7].split(":")[0] == right[7].split(":")[0]
    return {"uas": heads / words, "las": both / words}


def arcs_of(path, text):
    """The arcs of a file as the library reads it."""
    path.write_text(text, "utf-8")
    read = mb.data.own_files.read(path, labels=("X", "Y")).examples
    return [list(zip(e.info["heads"], e.info["relations"], strict=True)) for e in read]


def test_attachment_scores_are_those_of_the_conll_u_files(tmp_path):
    random = np.random.default_rng(0)
    relations = ["nsubj", "nsubj:pass", "obl", "obl:tmod", "punct"]

    def drawn(lengths):
        trees = [random.choice(all_trees(n)) + 1 for n in lengths]
        return [[(".", int(h), str(random.choice(relations))) for h in tree] for tree in trees]

    for _ in range(5):
        lengths = random.integers(1, 5, 20)
        ours, theirs = conllu(drawn(lengths)), conllu(drawn(lengths))
        files = arcs_of(tmp_path / "a.conllu", ours), arcs_of(tmp_path / "b.conllu", theirs)
        assert mb.heads.attachment_scores(*files) == slow_scores(ours, theirs)


def test_subtypes_are_cut_and_punctuation_counts():
    true = [[(1, "nsubj:pass"), (-1, "root"), (1, "punct")]]
    said = [[(1, "nsubj"), (-1, "root"), (0, "punct")]]
    assert mb.heads.attachment_scores(said, true) == {"uas": 2 / 3, "las": 2 / 3}
    said = [[(1, "nsub"), (-1, "root"), (1, "punct")]]
    assert mb.heads.attachment_scores(said, true) == {"uas": 1.0, "las": 2 / 3}


@pytest.mark.parametrize(
    ("said", "true", "told"),
    [
        ([], [], "expected arcs for each sentence, got 0 for 0"),
        ([[(-1, "root")]], [[(-1, "root"), (0, "x")]], "sentence 0 has 2 words, got 1 arcs"),
        ([[(0, "root")]], [[(-1, "root")]], "sentence 0 is no tree: expected one word whose head"),
        ([[(-1, "root")]], [[(1, "root")]], "sentence 0 is no tree: .*got 1 at word 0"),
        ([[(-1, "root")], []], [[(-1, "root")], []], "sentence 1 is no tree: .*got 0"),
        ([[(-1, "root")]], [], "expected arcs for each sentence, got 1 for 0"),
    ],
)
def test_scores_of_what_does_not_fit_are_refused(said, true, told):
    with pytest.raises(ValueError, match=told) as error:
        mb.heads.attachment_scores(said, true)
    assert "\n" not in str(error.value)


def test_real_trees_are_trees_and_are_found_again(data_dir):
    examples = mb.data.own_files.read(data_dir / "en_ewt-ud-dev.conllu.xz", "words").examples
    assert len(examples) == 2001
    for example in examples:
        mb.heads.check_tree(example.info["heads"], example.text)
    for example in examples[::20]:
        heads = list(example.info["heads"])
        arcs = F.one_hot(torch.tensor(heads) + 1, len(heads) + 1).double()
        assert mb.heads.highest_tree(arcs) == heads
