"""The vector explorer: its answers are the vectors' own, and every control changes what is seen."""

import numpy as np
import pytest
import torch

from minibert import show
from minibert.show import figures

KIN = ["king", "queen", "man", "woman", "boy", "girl"]
TOWNS = ["Aldham", "Marrow", "Thornley", "Wick"]
WORDS = [*KIN, *TOWNS, *(f"word{number}" for number in range(40))]


@pytest.fixture(scope="module")
def snapshots():
    generator = np.random.default_rng(0)
    final = generator.normal(size=(len(WORDS), 12))
    final[:6] += 3 * generator.normal(size=12)
    final[6:10] += 3 * generator.normal(size=12)
    gender = 2 * generator.normal(size=12)
    for male, female in (0, 1), (2, 3), (4, 5):
        final[female] = final[male] + gender
    start = generator.normal(size=final.shape)
    return [(0, start), (500, start + final / 2), (1500, final)]


@pytest.fixture
def explorer(snapshots):
    return show.VectorExplorer(
        snapshots, WORDS, {"kin": KIN, "towns": TOWNS}, analogy=("king", "man", "woman")
    )


def test_the_first_frame_tells_the_last_snapshot_and_the_analogy(explorer):
    alt = explorer._still[1]["image/png"]["alt"]
    assert "Word vectors after 1,500 steps; groups: kin, towns" in alt
    assert "arrows: man to king, woman to queen" in alt
    assert "king \u2212 man + woman: queen 1.00" in alt


def test_neighbours_and_analogies_are_those_of_the_vectors(explorer, snapshots):
    vectors = snapshots[1][1]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = {word: float(unit[0] @ unit[row]) for row, word in enumerate(WORDS) if row}
    expected = sorted(cosine, key=cosine.get, reverse=True)[:8]
    found = explorer.neighbours("king", snapshot=1)
    assert [word for word, _ in found] == expected
    assert dict(found)[expected[0]] == pytest.approx(cosine[expected[0]], abs=1e-5)
    target = unit[0] - unit[2] + unit[3]
    best = max(
        (row for row in range(len(WORDS)) if row not in (0, 2, 3)),
        key=lambda row: unit[row] @ target,
    )
    assert explorer.analogy("king", "man", "woman", snapshot=1)[0][0] == WORDS[best]


def test_every_control_changes_picture_and_alt(explorer):
    seen = [(explorer.png, explorer.frame.alt)]
    for change in (
        {"snapshot": 0},
        {"search": "Wick"},
        {"show": "kin"},
        {"a": "boy"},
        {"a": "", "b": "", "c": "", "search": ""},
    ):
        explorer.set(**change)
        assert explorer.message == ""
        seen.append((explorer.png, explorer.frame.alt))
    assert len({png for png, _ in seen}) == len({alt for _, alt in seen}) == len(seen)


def test_a_search_lists_and_links_the_neighbours(explorer):
    explorer.set(search="wik", a="", b="", c="")
    assert explorer.message.endswith("not in the vocabulary. Did you mean Wick?")
    explorer.set(search="  wick")
    assert explorer.frame.text.startswith("Nearest to Wick: ")
    explorer.set(search="KING")
    assert explorer.frame.text.startswith("Nearest to king: ")
    near = [word for word, _ in explorer.neighbours("king")]
    assert explorer.frame.text.count(", ") == len(near) - 1 == 7
    labels = {text.get_text() for text in explorer.frame.figure.axes[0].texts}
    assert {"king", *near[:5]} <= labels
    assert len(explorer.frame.figure.axes[0].lines) == 5


def test_a_half_filled_analogy_asks_for_the_rest(explorer):
    explorer.set(b="")
    assert explorer.frame.text == "An analogy needs a word in each of its three boxes."


@pytest.mark.parametrize(
    "typed",
    [
        "<img src=x onerror=alert(1)>",
        "&amp;",
        "\u0639\u0631\u0628",
        "\U0001f600",
        "y" * 10_000,
        "\ud83d",
    ],
)
def test_a_word_without_a_vector_gets_a_sentence(explorer, typed):
    picture = explorer._picture.value
    explorer.set(search=typed)
    typed = figures.well_formed(typed)
    shown = typed if len(typed) < 40 else f"{'y' * 40}\u2026 (10,000 characters)"
    assert explorer.message.startswith(f"There is no vector for \u201c{shown}\u201d")
    assert figures.text_html(explorer.message) in explorer._words.value
    assert "<img" not in explorer._words.value
    assert explorer._picture.value == picture


def test_the_plane_does_not_move_over_training(explorer):
    frames = []
    for snapshot in range(3):
        explorer.set(snapshot=snapshot, a="", b="", c="")
        ax = explorer.frame.figure.axes[0]
        frames.append((ax.get_xlim(), ax.get_ylim()))
    assert frames[0] == frames[1] == frames[2]


def test_the_map_is_the_pca_of_the_grouped_words_at_the_end(explorer, snapshots):
    _, kin, towns = explorer.frame.figure.axes[0].collections[:3]
    unit = snapshots[-1][1][:10] / np.linalg.norm(snapshots[-1][1][:10], axis=1, keepdims=True)
    assert np.allclose([*kin.get_offsets(), *towns.get_offsets()], show.pca(unit), atol=1e-4)


def test_a_word_outside_the_view_is_brought_into_it(explorer):
    explorer.set(show="towns", search="girl", a="", b="", c="")
    ax = explorer.frame.figure.axes[0]
    window = ax.get_window_extent()
    girl = next(text for text in ax.texts if text.get_text() == "girl")
    x, y = ax.transData.transform(girl.get_position())
    assert window.contains(x, y)


def test_tensors_a_single_snapshot_and_no_groups():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(8, 4, generator=generator, requires_grad=True)
    explorer = show.VectorExplorer([(10, matrix)], list("abcdefgh"), search="a")
    assert [name for row in explorer.rows for name in row][:1] == ["search"]
    assert explorer.frame.text.startswith("Nearest to a: ")


def test_what_does_not_fit_is_refused(snapshots):
    with pytest.raises(ValueError, match="vectors of step 0 .* 49 words"):
        show.VectorExplorer(snapshots, WORDS[1:])
    with pytest.raises(ValueError, match="'kin' has 'duke', which has no vector"):
        show.VectorExplorer(snapshots, WORDS, {"kin": ["duke"]})
    with pytest.raises(ValueError, match="repeats"):
        show.VectorExplorer(snapshots, [*WORDS[:-1], "king"])
    with pytest.raises(ValueError, match="finite"):
        show.VectorExplorer([(5, snapshots[0][1] * np.nan)], WORDS)
    with pytest.raises(ValueError, match="at least one snapshot"):
        show.VectorExplorer([], WORDS)
