"""Heat maps, PCA, and maps of words."""

from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from minibert import show
from minibert.show.figures import refuse_unlabelled

WORDS = [f"word{number}" for number in range(30)]


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(30, 2))


def labels(fig):
    return {text.get_text(): text for text in fig.axes[0].texts if text.get_text()}


def test_pca_keeps_the_distances_of_a_plane():
    generator = np.random.default_rng(1)
    plane = generator.normal(size=(20, 2)) * [3, 1]
    turned = plane @ np.linalg.qr(generator.normal(size=(6, 6)))[0][:2] + 5
    found = show.pca(turned)
    for a, b in combinations(range(20), 2):
        expected = np.linalg.norm(plane[a] - plane[b])
        assert np.linalg.norm(found[a] - found[b]) == pytest.approx(expected)
    assert found[:, 0].var() > found[:, 1].var()


def test_the_sign_of_a_component_is_fixed():
    vectors = np.random.default_rng(2).normal(size=(40, 5))
    _, axes = show.maps.principal_axes(vectors)
    assert (axes[np.abs(axes).argmax(axis=0), [0, 1]] > 0).all()
    assert np.allclose(show.pca(vectors)[::-1], show.pca(vectors[::-1]))
    assert np.allclose(show.pca(torch.tensor(vectors, requires_grad=True)), show.pca(vectors))


def test_pca_says_what_shape_it_needs():
    with pytest.raises(ValueError, match=r"got the shape \(1, 5\)"):
        show.pca(np.ones((1, 5)))


def test_a_heat_map_names_and_numbers_its_cells():
    matrix = np.array([[0.0, 1.0], [0.5, 0.25], [0.1, 0.2]])
    fig = show.heatmap(matrix, ["a", "b", "c"], ["$x$", "y"], "Cosines", unit="cosine")
    refuse_unlabelled(fig)
    ax = fig.axes[0]
    assert [text.get_text() for text in ax.texts] == [
        "0.00",
        "1.00",
        "0.50",
        "0.25",
        "0.10",
        "0.20",
    ]
    inks = {text.get_text(): text.get_color() for text in ax.texts}
    assert inks["0.00"] == "white" and inks["1.00"] == "black"
    assert "3 rows by 2 columns of cosine, from 0 to 1; the largest is a with y" in fig.alt
    assert not ax.get_xticklabels()[0].get_parse_math()
    with pytest.raises(ValueError, match="shape"):
        show.heatmap(matrix, ["a", "b"], ["x", "y"])


def test_diverging_colours_are_white_at_zero():
    fig = show.heatmap([[-1.0, 3.0]], ["a"], ["x", "y"], "d", unit="difference", diverging=True)
    image = fig.axes[0].images[0]
    assert image.get_clim() == (-3, 3)
    assert to_hex(image.to_rgba(0.0)) > "#f5f5f5"


def test_labels_of_a_crowded_map_do_not_overlap():
    words = [f"word{number}" for number in range(200)]
    fig = show.scatter_words(np.random.default_rng(0).normal(size=(200, 2)), words, labels=words)
    refuse_unlabelled(fig)
    show.png(fig)
    boxes = [text.get_window_extent() for text in labels(fig).values()]
    assert 20 < len(boxes) < 200
    frame = fig.axes[0].get_window_extent()
    for first, second in combinations(boxes, 2):
        assert not first.overlaps(second)
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)


def test_a_label_keeps_clear_of_the_arrows():
    at = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.5, -0.5]])
    fig = show.scatter_words(at, ["from", "to", "up", "down"], arrows=[("from", "to")])
    show.png(fig)
    boxes = {text.get_text(): text.get_window_extent() for text in fig.axes[0].texts}
    left, right = fig.axes[0].transData.transform(at[:2])
    assert boxes["from"].x1 < left[0] and boxes["to"].x0 > right[0]


def test_names_beside_points_of_a_figure_do_not_overlap():
    at = {f"name {i}": (0.5 + 0.05 * (i % 4), 0.5 + 0.03 * (i // 4)) for i in range(12)}
    fig, ax = show.new("Points", "x", "y")
    ax.plot(*zip(*at.values(), strict=True), "o")
    show.name_points(ax, at)
    assert len(ax.texts) >= 6
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_marked_words_are_always_written():
    fig = show.scatter_words(np.zeros((30, 2)), WORDS, highlight=WORDS[3:6], arrows=[WORDS[:2]])
    assert set(WORDS[:2] + WORDS[3:6]) <= set(labels(fig))
    assert "marked: word3, word4, word5; arrows: word0 to word1" in fig.alt


def test_both_axes_have_one_scale(points):
    ax = show.scatter_words(points * [1, 20], WORDS).axes[0]
    (x0, y0), (x1, y1) = ax.transData.transform([(0, 0), (1, 1)])
    assert x1 - x0 == pytest.approx(y1 - y0)
    seen = ax.transData.inverted().transform(ax.get_window_extent())
    assert (seen[0] <= (points * [1, 20]).min(axis=0)).all()


def test_groups_differ_in_colour_and_shape(points):
    groups = {f"group {number}": WORDS[number::12] for number in range(12)}
    _, *drawn = show.scatter_words(points, WORDS, groups).axes[0].collections
    looks = {
        (to_hex(dots.get_facecolor()[0]), dots.get_paths()[0].vertices.tobytes()) for dots in drawn
    }
    assert len(drawn) == len(looks) == 12
    assert len({shape for _, shape in looks}) == len({colour for colour, _ in looks}) == 6


def test_a_word_is_drawn_letter_by_letter(points):
    words = ["$x_1$", *WORDS[1:]]
    fig = show.scatter_words(points, words, highlight=["$x_1$"])
    assert not labels(fig)["$x_1$"].get_parse_math()
    show.png(fig)


@pytest.mark.parametrize("asked", [{"highlight": ["x"]}, {"arrows": [("x", "word1")]}])
def test_unknown_words_and_wrong_shapes_are_refused(points, asked):
    with pytest.raises(ValueError, match="no word 'x' among its 30"):
        show.scatter_words(points, WORDS, **asked)
    with pytest.raises(ValueError, match=r"need points of shape \(30, 2\)"):
        show.scatter_words(points[:5], WORDS)
