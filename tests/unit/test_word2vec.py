"""word2vec's losses against the formulas of the papers, and what a trained model can be asked."""

import itertools
import json
import math
import zlib

import numpy as np
import pytest
import torch
from torch import nn

import minibert as mb
from minibert.models.word2vec import fasttext, glove
from minibert.text import windows

WORDS = ["the", "cat", "dog", "sat", "ran", "mat", "log"]


def make_model(dim=5, seed=0, counts=(70, 20, 20, 10, 10, 5, 5), **settings):
    torch.manual_seed(seed)
    vocab = mb.text.Vocab(["<pad>", "<unk>", *WORDS], [0, 9, *counts])
    model = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=dim, **settings), vocab)
    nn.init.normal_(model.input.weight)
    nn.init.normal_(model.output.weight)
    return model


def skipgram_batch(centres, contexts, **more):
    centres = torch.tensor(centres)[:, None]
    batch = {"input_ids": centres, "attention_mask": torch.ones_like(centres)}
    return {**batch, "targets": torch.tensor(contexts), **more}


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def textbook_step(v, u, centre, context, negatives, rate):
    """One pair of skip-gram with negative sampling, by hand, in place; returns its loss.

    Mikolov et al. 2013b, equation 4; a noise word that is the context itself is passed over, as in
    the authors' program.
    """
    true = sigmoid(v[centre] @ u[context])
    loss = -math.log(true)
    for_v = (true - 1) * u[context]
    for_u = [(context, (true - 1) * v[centre])]
    for word in negatives:
        if word == context:
            continue
        fooled = sigmoid(v[centre] @ u[word])
        loss -= math.log(1 - fooled)
        for_v = for_v + fooled * u[word]
        for_u.append((word, fooled * v[centre]))
    for word, gradient in for_u:
        u[word] -= rate * gradient
    v[centre] -= rate * for_v
    return loss


@pytest.mark.parametrize("negatives", [[4, 4, 6], [3, 5, 8], [2, 2, 2]])
def test_a_step_on_one_pair_is_the_textbooks(negatives):
    model = make_model().double()
    v, u = (t.weight.detach().numpy().copy() for t in (model.input, model.output))
    expected = textbook_step(v, u, centre=2, context=3, negatives=negatives, rate=0.1)

    batch = skipgram_batch([2], [3], negatives=torch.tensor([negatives]))
    loss, count = model.loss(batch)
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert (loss.item(), count) == (pytest.approx(expected), 1)
    np.testing.assert_allclose(model.input.weight.detach(), v)
    np.testing.assert_allclose(model.output.weight.detach(), u)


def test_the_loss_of_a_batch_is_the_sum_over_its_pairs():
    model = make_model().double()
    pairs = [(2, 3, [4, 5]), (3, 2, [6, 7]), (2, 8, [8, 4])]
    v, u = (t.weight.detach().numpy().copy() for t in (model.input, model.output))
    alone = [textbook_step(v.copy(), u.copy(), c, o, noise, 0.0) for c, o, noise in pairs]
    centres, contexts, noise = zip(*pairs, strict=True)
    loss, count = model.loss(skipgram_batch(centres, contexts, negatives=torch.tensor(noise)))
    assert (loss.item(), count) == (pytest.approx(math.fsum(alone)), 3)


def test_noise_is_drawn_by_the_counts_to_the_power_of_three_quarters():
    model = make_model()
    expected = torch.tensor([0, 0, 70, 20, 20, 10, 10, 5, 5.0]) ** 0.75
    torch.testing.assert_close(model.noise, expected / expected.sum())
    even = torch.tensor([0.0, 0.0] + [1 / 7] * 7)
    torch.testing.assert_close(make_model(power=0.0).noise, even)


def test_cbow_guesses_from_the_mean_of_the_real_context():
    model = make_model(mode="cbow").double()
    ids = torch.tensor([[2, 5, 7, 0], [3, 0, 0, 0]])
    batch = {
        "input_ids": ids,
        "attention_mask": torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]]),
        "targets": torch.tensor([3, 4]),
        "negatives": torch.tensor([[6, 7], [8, 2]]),
    }
    v, u = model.input.weight.detach(), model.output.weight.detach()
    means = [v[[2, 5, 7]].mean(0), v[3]]
    expected = 0.0
    for mean, target, noise in zip(means, [3, 4], [[6, 7], [8, 2]], strict=True):
        expected -= math.log(sigmoid(mean @ u[target]))
        expected -= math.fsum(math.log(sigmoid(-mean @ u[word])) for word in noise)
    assert model.loss(batch)[0].item() == pytest.approx(expected)


def test_full_softmax_is_the_log_of_the_normalised_exponentials():
    model = make_model(loss="full").double()
    v, u = model.input.weight.detach(), model.output.weight.detach()
    scores = (u @ v[4]).exp()
    loss, _ = model.loss(skipgram_batch([4], [7]))
    assert loss.item() == pytest.approx(-math.log(scores[7] / scores.sum()))


def test_hierarchical_softmax_gives_each_word_a_probability_and_they_sum_to_one():
    model = make_model(loss="hierarchical").double()
    losses = [model.loss(skipgram_batch([5], [word]))[0].item() for word in range(9)]
    assert math.fsum(math.exp(-loss) for loss in losses) == pytest.approx(1)
    assert len({round(loss, 6) for loss in losses}) > 3


def test_hierarchical_softmax_multiplies_one_sigmoid_a_turn():
    model = make_model(loss="hierarchical").double()
    nodes, turns = mb.models.word2vec.huffman(windows.word_counts(model.vocab))
    v, u = model.input.weight.detach()[6], model.output.weight.detach()
    for word in range(2, 9):
        steps = zip(nodes[word], turns[word], strict=True)
        expected = -math.fsum(math.log(sigmoid((1 - 2 * t) * float(u[n] @ v))) for n, t in steps)
        assert model.loss(skipgram_batch([6], [word]))[0].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    "counts", [[50, 20, 15, 10, 5], [1, 1, 1, 1], [1, 2, 4, 8, 16, 32], [7, 7]]
)
def test_the_huffman_tree_is_a_prefix_code_of_the_least_length(counts):
    nodes, turns = mb.models.word2vec.huffman(counts)
    codes = ["".join(map(str, code)) for code in turns]
    for a, b in itertools.permutations(codes, 2):
        assert not b.startswith(a)
    assert sum(2.0 ** -len(code) for code in codes) == 1
    assert {node for path in nodes for node in path} == set(range(len(counts) - 1))
    assert all(path[0] == len(counts) - 2 for path in nodes)  # all start at the root
    merged, least = sorted(counts), 0  # the cost of a Huffman tree: the sum of all merged weights
    while len(merged) > 1:
        weight = merged[0] + merged[1]
        least, merged = least + weight, sorted([*merged[2:], weight])
    assert sum(n * len(code) for n, code in zip(counts, codes, strict=True)) == least


ANIMALS, TOOLS = ["cat", "dog", "cow", "pig"], ["saw", "axe", "file", "drill"]


def planted(sentences=500, seed=0):
    """Animals eat and sleep, tools cut and break: words of a kind stand in the same places."""
    rng = np.random.default_rng(seed)
    kinds = [(ANIMALS, ["eats", "sleeps", "runs"]), (TOOLS, ["cuts", "breaks", "lies"])]
    for kind in rng.integers(0, 2, sentences):
        nouns, verbs = kinds[kind]
        noun, first, then = (str(rng.choice(words)) for words in (nouns, verbs, verbs))
        yield ["the", noun, "often", first, "and", then]


@pytest.mark.parametrize("mode", ["skipgram", "cbow"])
@pytest.mark.parametrize("loss", ["negative", "hierarchical", "full"])
def test_words_used_alike_become_neighbours(mode, loss):
    sentences = list(planted())
    mb.seed_everything(0)
    vocab = mb.text.Vocab.train(sentences)
    config = mb.Word2VecConfig(len(vocab), dim=16, window=4, mode=mode, loss=loss, subsample=0)
    model = mb.Word2Vec(config, vocab)
    history = mb.models.word2vec.learn(model, sentences, epochs=6, rate=0.02, progress=False)
    assert history.recent() < 0.9 * history.loss[0]
    for words in (ANIMALS, TOOLS):
        for word in words:
            near = {other for other, _ in model.neighbours(word, k=3)}
            assert near == set(words) - {word}


def test_learning_twice_with_one_seed_gives_the_same_vectors():
    sentences = list(planted(300))
    vocab = mb.text.Vocab.train(sentences)
    for mode in ("skipgram", "cbow"):
        found = []
        for seed in (1, 1, 2):
            mb.seed_everything(0)
            model = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=8, mode=mode, subsample=0), vocab)
            mb.models.word2vec.learn(model, sentences, epochs=1, seed=seed, progress=False)
            found.append(model.vectors)
        assert torch.equal(found[0], found[1])
        assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("mode", ["skipgram", "cbow"])
def test_snapshots_run_from_the_start_to_the_finished_vectors(mode):
    sentences = list(planted(400))
    vocab = mb.text.Vocab.train(sentences)
    model = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=8, mode=mode), vocab)
    start, kept = model.vectors.clone(), []
    mb.models.word2vec.learn(model, sentences, epochs=20, snapshots=kept, progress=False)
    steps = [step for step, _ in kept]
    assert steps[0] == 0 and steps == sorted(set(steps)) and 10 <= len(steps) <= 30
    assert torch.equal(kept[0][1], start) and torch.equal(kept[-1][1], model.vectors)
    assert not torch.equal(kept[len(kept) // 2][1], model.vectors)


def test_any_module_from_ids_to_vectors_can_be_the_input():
    class Pieces(nn.Module):
        """Every word is the mean of two rows, as in fastText."""

        def __init__(self, dim):
            super().__init__()
            self.rows = nn.Embedding(40, dim)

        def forward(self, ids):
            return (self.rows(ids) + self.rows(ids + 20)) / 2

    sentences = list(planted(300))
    vocab = mb.text.Vocab.train(sentences)
    model = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=8), vocab)
    model.input = Pieces(8)
    before = model.vectors.clone()
    mb.models.word2vec.learn(model, sentences, epochs=1, progress=False)
    assert model.vectors.shape == (len(vocab), 8)
    assert not torch.allclose(before, model.vectors)
    assert len(model.neighbours("cat", k=3)) == 3


def test_the_common_interface_gives_the_vectors_of_the_words():
    model = make_model()
    ids = torch.tensor([[2, 3, 3], [4, 0, 0]])
    out = model(ids, attention_mask=(ids > 0).long())
    assert torch.equal(out.last_hidden_state, model.input.weight[ids])
    assert len(out.hidden_states) == 1 and out.attentions is None


def square():
    """Four words at the corners of a square, and others far from it."""
    vocab = mb.text.Vocab(["<unk>", "man", "woman", "king", "queen", "log", "mat"])
    model = mb.Word2Vec(mb.Word2VecConfig(7, dim=3), vocab)
    rows = [[9, 9, 9], [1, 0, 0.1], [0, 1, 0.1], [1, 0, 2], [0, 1, 2], [-1, -1, 0], [0, -1, -1]]
    model.input.weight.data = torch.tensor(rows, dtype=torch.float)
    return model


def test_an_analogy_is_the_nearest_word_to_the_sum_without_the_three_asked():
    model = square()
    assert model.analogy("man", "woman", "king", k=1)[0][0] == "queen"
    assert {word for word, _ in model.analogy("man", "woman", "king", k=9)} == {
        "queen",
        "log",
        "mat",
    }


def test_the_words_of_an_analogy_count_alike_however_long_their_vectors():
    model = square()
    found = model.analogy("man", "woman", "king", k=3)
    model.input.weight.data[[1, 2, 3]] *= torch.tensor([[9.0], [0.1], [3.0]])
    for (word, score), (want, was) in zip(model.analogy("man", "woman", "king", k=3), found,
                                          strict=True):  # fmt: skip
        assert (word, score) == (want, pytest.approx(was, abs=1e-6))


def test_words_near_each_other_are_counted_by_their_distance():
    X = glove.cooccurrences([0, 1, 2, 0, 1], [0, 3, 5], size=3, window=2)  # a b c | a b
    assert X.tolist() == [[0, 2, 0.5], [2, 0, 1], [0.5, 1, 0]]
    batches = list(glove.cells(X, batch_size=4))
    found = {
        (int(i), int(j)): float(x) for b in batches for i, j, x in zip(*b.values(), strict=True)
    }
    assert found == {(0, 1): 2, (1, 0): 2, (0, 2): 0.5, (2, 0): 0.5, (1, 2): 1, (2, 1): 1}


def test_the_loss_of_glove_by_hand():
    model = glove.GloVe(3, 2).double()
    for table in model.children():
        nn.init.normal_(table.weight)
    row, column, x = [0, 2], [1, 1], [6.0, 300.0]
    loss, count = model.loss({
        "row": torch.tensor(row), "column": torch.tensor(column), "x": torch.tensor(x).double(),
    })  # fmt: skip
    want = 0.0
    for i, j, n, weight in zip(row, column, x, [0.06**0.75, 1.0], strict=True):
        guess = model.w.weight[i] @ model.w_context.weight[j]
        guess = guess + model.b.weight[i, 0] + model.b_context.weight[j, 0]
        want += weight * (guess.item() - math.log(n)) ** 2
    assert count == 2 and loss.item() == pytest.approx(want)
    assert torch.equal(model.vectors, (model.w.weight + model.w_context.weight).detach())


def test_a_word_is_the_mean_of_its_pieces():
    grams = ["<ab", "ab>", "<ab>"]
    rows = [zlib.crc32(gram.encode()) % 50 for gram in grams]
    assert fasttext.pieces("ab", rows=50) == rows
    assert len(fasttext.pieces("abcd")) == 4 + 3 + 2  # n-grams of 3, 4 and 5 of <abcd>
    table = fasttext.Pieces(["ab", "abcd"], 3, rows=50)
    torch.testing.assert_close(table(torch.tensor([0]))[0], table.table.weight[rows].mean(0))
    for i, word in enumerate(["ab", "abcd"]):
        torch.testing.assert_close(table(torch.tensor(i)), table.vector(word))


def test_neighbours_are_sorted_by_cosine_without_the_word_and_the_specials():
    model = square()
    found = model.neighbours("king", k=10)
    assert [word for word, _ in found] == sorted(
        ["man", "woman", "queen", "log", "mat"], key=lambda w: -model.similarity("king", w)
    )
    assert dict(found)["queen"] == pytest.approx(4 / 5, abs=1e-6)
    assert model.neighbours("king", k=1, exclude=["queen"])[0][0] != "queen"
    by_vector = model.neighbours(model.vector("king"), k=1)
    assert by_vector[0] == ("king", pytest.approx(1.0))


def test_an_unknown_word_is_an_error_that_names_close_spellings():
    model = square()
    with pytest.raises(ValueError, match="'qeen' is not among the 7 words; close .*: queen"):
        model.vector("qeen")
    with pytest.raises(ValueError, match="'xylophone' is not among the 7 words$"):
        model.neighbours("xylophone")
    with pytest.raises(ValueError, match="'kin' is not"):
        model.neighbours("king", exclude=["kin"])


def test_a_model_without_a_vocabulary_says_what_it_needs(tmp_path):
    model = mb.Word2Vec(mb.Word2VecConfig(5))
    for ask in (lambda: model.vector("a"), lambda: model.neighbours(torch.ones(100))):
        with pytest.raises(ValueError, match="no vocabulary"):
            ask()
    with pytest.raises(ValueError, match="no vocabulary"):
        model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no vocabulary"):
        mb.models.word2vec.learn(model, ["a b"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "skip-gram"}, "mode must be 'skipgram' or 'cbow', got 'skip-gram'"),
        ({"loss": "softmax"}, "loss must be"),
        ({"vocab_size": 0}, "vocab_size must be at least 1, got 0"),
        ({"window": 0}, "window must be at least 1"),
        ({"negatives": 0}, "negatives must be at least 1"),
        ({"subsample": -1}, "subsample must not be negative"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        mb.Word2VecConfig(**{"vocab_size": 5, **options})


def test_vocabulary_and_configuration_must_have_one_size():
    with pytest.raises(ValueError, match="vocab_size=5 words, got 2"):
        mb.Word2Vec(mb.Word2VecConfig(5), mb.text.Vocab(["a", "b"]))


@pytest.mark.parametrize("settings", [{}, {"mode": "cbow", "loss": "hierarchical"}])
def test_a_saved_model_comes_back_as_it_was(tmp_path, settings):
    model = make_model(**settings)
    model.save_pretrained(tmp_path / "model")
    again = mb.Word2Vec.from_pretrained(tmp_path / "model")
    assert again.config == model.config
    assert again.vocab.tokens == model.vocab.tokens
    assert again.vocab.counts.tolist() == model.vocab.counts.tolist()
    batch = skipgram_batch([2, 3], [4, 5], negatives=torch.tensor([[6], [7]]))
    assert float(again.loss(batch)[0].detach()) == float(model.loss(batch)[0].detach())
    assert again.neighbours("cat") == model.neighbours("cat")


def test_a_folder_of_something_else_is_refused(tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "layers": 12}))
    with pytest.raises(ValueError, match="holds no Word2Vec"):
        mb.Word2Vec.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**config, "dim": 6}))
    with pytest.raises(ValueError, match=r"put.weight is \(9, 5\), expected \(9, 6\)"):
        mb.Word2Vec.from_pretrained(tmp_path)
    (tmp_path / "vocab.tsv").unlink()
    with pytest.raises(FileNotFoundError, match="vocab.tsv"):
        mb.Word2Vec.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="bundled checkpoint called 'minibert-nothing'"):
        mb.Word2Vec.from_pretrained("minibert-nothing")
