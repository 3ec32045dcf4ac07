"""The highest tree of longer sentences: the same as that of networkx."""

import pytest
import torch

import minibert as mb

networkx = pytest.importorskip("networkx", reason="networkx is not installed")


def theirs(scores):
    """The best of the arborescences of each word as the only one on the root."""
    words, best = len(scores), (-float("inf"), [])
    for root in range(words):
        graph = networkx.DiGraph()
        graph.add_edge(-1, root, weight=scores[root, 0].item())
        for i in range(words):
            for j in range(words):
                if i != j:
                    graph.add_edge(j, i, weight=scores[i, 1 + j].item())
        tree = networkx.maximum_spanning_arborescence(graph)
        heads = [next(iter(tree.predecessors(word))) for word in range(words)]
        total = sum(scores[word, 1 + head].item() for word, head in enumerate(heads))
        best = max(best, (total, heads))
    return best[1]


@pytest.mark.parametrize("words", [6, 9, 13])
def test_the_highest_tree_is_that_of_networkx(words):
    random = torch.Generator().manual_seed(words)
    for _ in range(5):
        scores = torch.rand(words, words + 1, generator=random, dtype=torch.float64)
        assert mb.heads.highest_tree(scores) == theirs(scores)
