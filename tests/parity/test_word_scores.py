"""Similarity and analogy scores: the same as gensim's, on a tiny model and on a real one."""

import itertools
import math

import numpy as np
import pytest
import torch

import minibert as mb
from minibert.data.corpora import Analogies, RatedPairs
from minibert.models.word2vec import scores as word_scores

WORDS = "paris france berlin germany rome italy king queen man woman Paris Berlin cat".split()


@pytest.fixture(scope="module")
def gensim():
    return pytest.importorskip("gensim.models", reason="gensim is not installed")


def as_gensim(gensim, model):
    """The same vectors for gensim, without the specials."""
    specials = model.vocab.specials
    keys = [token for token in model.vocab.tokens if token not in specials]
    vectors = gensim.KeyedVectors(model.config.dim)
    vectors.add_vectors(keys, model.vectors[[model.vocab[key] for key in keys]].numpy())
    return vectors


def write_pairs(path, rated):
    rows = zip(rated.pairs, rated.scores, strict=True)
    path.write_text("".join(f"{a}\t{b}\t{score}\n" for (a, b), score in rows), "utf-8")


def write_questions(path, questions):
    lines = []
    for name, asked in questions.sections.items():
        lines += [f": {name}", *map(" ".join, asked)]
    path.write_text("\n".join(lines), "utf-8")


def check_similarity(gensim, model, rated, path, abs=1e-6):
    write_pairs(path, rated)
    _, rank, unknown = as_gensim(gensim, model).evaluate_word_pairs(str(path))
    ours = word_scores.similarity(model, rated)
    assert ours.spearman == pytest.approx(rank.statistic, abs=abs)
    assert 100 * (1 - ours.known / ours.pairs) == pytest.approx(unknown)
    return ours


def check_analogies(gensim, model, questions, path, **options):
    write_questions(path, questions)
    theirs = as_gensim(gensim, model)
    most = options.get("most", len(theirs))
    accuracy, sections = theirs.evaluate_word_analogies(str(path), restrict_vocab=most)
    ours = word_scores.analogies(model, questions, **options)
    assert ours.accuracy == pytest.approx(accuracy)
    for section in sections[:-1]:
        right, wrong = len(section["correct"]), len(section["incorrect"])
        name = section["section"]
        assert (ours.right[name], ours.known[name]) == (right, right + wrong)
    return ours


def tiny(seed=0, specials=()):
    torch.manual_seed(seed)
    vocab = mb.text.Vocab([*specials, *WORDS])
    model = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=4), vocab)
    torch.nn.init.normal_(model.input.weight)
    return model


def tiny_questions(seed=0):
    rng = np.random.default_rng(seed)
    names = [*WORDS, "unknown", "PARIS"]
    draw = lambda: tuple(rng.choice(names, 4, replace=False).tolist())  # noqa: E731
    return Analogies({name: [draw() for _ in range(60)] for name in ("one", "two")})


@pytest.mark.parametrize("seed", range(3))
def test_a_tiny_model_gets_gensims_rank_correlation(gensim, tmp_path, seed):
    rng = np.random.default_rng(seed)
    names = [*WORDS, "Unknown", "KING"]
    every = list(itertools.combinations(names, 2))
    pairs = [every[i] for i in rng.choice(len(every), 40, replace=False)]
    rated = RatedPairs(pairs, rng.integers(0, 6, 40).astype(float))  # with ties
    ours = check_similarity(gensim, tiny(seed), rated, tmp_path / "pairs")
    assert 20 < ours.known < 40


@pytest.mark.parametrize("seed", range(3))
def test_a_tiny_model_gets_gensims_right_answers_by_section(gensim, tmp_path, seed):
    ours = check_analogies(gensim, tiny(seed), tiny_questions(seed), tmp_path / "questions")
    assert 0 < sum(ours.right.values()) < sum(ours.known.values()) < 120


def test_a_restricted_vocabulary_answers_and_asks_with_its_words_alone(gensim, tmp_path):
    ours = check_analogies(gensim, tiny(1), tiny_questions(), tmp_path / "questions", most=8)
    assert ours.known["one"] < word_scores.analogies(tiny(1), tiny_questions()).known["one"]


def test_specials_are_no_words(gensim, tmp_path):
    model = tiny(2, specials=("<pad>", "<unk>"))
    questions = tiny_questions()
    questions.sections["one"] += [("<unk>", "king", "man", "queen")]
    ours = word_scores.analogies(model, questions)
    assert ours.known["one"] == word_scores.analogies(model, tiny_questions()).known["one"]
    check_analogies(gensim, model, tiny_questions(), tmp_path / "questions")


def test_exact_spelling_can_be_asked_for():
    model = tiny()
    asked = {"cities": [("PARIS", "france", "berlin", "germany"), ("man", "woman", "king", "cat")]}
    assert word_scores.analogies(model, asked).known == {"cities": 2}
    assert word_scores.analogies(model, asked, any_case=False).known == {"cities": 1}


def test_without_known_words_the_scores_are_not_numbers_and_nothing_fails():
    rated = RatedPairs([("x", "y"), ("king", "z")], np.array([1.0, 2.0]))
    score = word_scores.similarity(tiny(), rated)
    assert math.isnan(score.spearman) and score.known == 0 and "0 of 2 pairs" in str(score)
    answered = word_scores.analogies(tiny(), {"none": [("a", "b", "c", "d")]})
    assert math.isnan(answered.accuracy) and answered.by_section == {}


def test_a_perfect_square_is_answered_right():
    vocab = mb.text.Vocab(["man", "woman", "king", "queen", "cat"])
    model = mb.Word2Vec(mb.Word2VecConfig(5, dim=2), vocab)
    rows = [[1, 0], [0, 1], [1.2, 0.2], [0.2, 1.2], [-1, -1]]
    model.input.weight.data = torch.tensor(rows)
    asked = {"royal": [("man", "woman", "king", "queen"), ("man", "woman", "king", "cat")]}
    answered = word_scores.analogies(model, asked)
    assert answered.by_section == {"royal": 0.5}
    assert str(answered) == "50.0% right of 2 known questions (2 asked)"


def test_a_score_of_nothing_is_told_in_words():
    none = {"capitals": 0}
    assert "no score: 0 of 3 questions" in str(word_scores.Answered(none, none, {"capitals": 3}))
    assert "no score: 1 of 9 pairs" in str(word_scores.Rated(float("nan"), 1, 9))


def test_spearman_shares_the_ranks_of_ties():
    x = np.array([1.0, 2, 2, 3, 9])
    assert word_scores.spearman(x, x**3) == pytest.approx(1)
    assert word_scores.spearman(x, -x) == pytest.approx(-1)
    ranks_x, ranks_y = [1, 2.5, 2.5, 4, 5], [5, 3, 4, 2, 1]
    expected = np.corrcoef(ranks_x, ranks_y)[0, 1]
    assert word_scores.spearman(x, np.array([9, 5, 7, 3, 1])) == pytest.approx(expected)


@pytest.fixture(scope="module")
def real_model(data_dir):
    """A model trained for a moment on a tenth of the books, lower case."""
    paragraphs = [p.lower() for p in mb.data.load("books_train").paragraphs()][::10]
    vocab = mb.text.Vocab.train(paragraphs, min_count=5)
    mb.seed_everything(0)
    model = mb.Word2Vec(mb.Word2VecConfig(len(vocab), dim=50), vocab)
    mb.models.word2vec.learn(model, paragraphs, epochs=2, progress=False)
    return model


@pytest.mark.parametrize("name", ["wordsim353", "men"])
def test_a_real_model_gets_gensims_rank_correlation(gensim, tmp_path, real_model, name):
    # Two of thousands of pairs that are equally alike may change places where sums round otherwise.
    ours = check_similarity(gensim, real_model, mb.data.load(name), tmp_path / "pairs", abs=1e-4)
    assert ours.known > 100


def test_a_real_model_gets_gensims_right_answers(gensim, tmp_path, real_model):
    questions = mb.data.load("google-analogies")
    some = Analogies({name: asked[::10] for name, asked in questions.sections.items()})
    ours = check_analogies(gensim, real_model, some, tmp_path / "questions")
    assert sum(ours.right.values()) > 3
