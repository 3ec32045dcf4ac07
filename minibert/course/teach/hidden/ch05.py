"""Hidden tests of chapter 05."""

from collections.abc import Container
from typing import Any

import torch
from torch.nn import functional as F

from minibert.course.learn.exercises.bert_input import Choose, Mask
from minibert.course.learn.exercises.bert_training import Pretrain
from minibert.course.learn.exercises.bert_words import FillIn
from minibert.course.learn.exercises.ch05 import Parameters
from minibert.course.teach.hidden import Case, Draw, fresh


def longest_first(word: str, pieces: Container[str]) -> list[str]:
    """WordPiece, plainly: the longest piece at each position, or ['[UNK]']."""
    found, start = [], 0
    while start < len(word):
        marked = [("##" if start else "") + word[start:end] for end in range(len(word), start, -1)]
        piece = next((piece for piece in marked if piece in pieces), None)
        if piece is None:
            return ["[UNK]"]
        found.append(piece)
        start += len(piece.removeprefix("##"))
    return found


def value_of(found: Any) -> Any:
    """What an answer gave, out of what its exercise has seen of it."""
    if isinstance(found, dict):
        return found["loss"]
    fits = isinstance(found, tuple | list) and len(found) == 2 and isinstance(found[1], bool)
    return found[0] if fits else found


@fresh("05.wordpiece", view=lambda found: list(value_of(found)), trials=40)
def wordpiece(draw: Draw) -> Case:
    def letters(least: int, most: int) -> str:
        return "".join(draw.choice("abc") for _ in range(draw.randint(least, most)))

    pieces = {mark + letters(1, 3) for mark in ("", "##") for _ in range(12)}
    word = letters(1, 8)
    return (word, pieces), longest_first(word, pieces)


@fresh("05.embed", view=value_of)
def embed(draw: Draw) -> Case:
    rows, length, dim, V = draw.randint(1, 3), draw.randint(3, 9), 2 * draw.randint(3, 6), 20
    ids, segments = draw.integers(0, V, rows, length), draw.integers(0, 2, rows, length)
    words, places, kinds = (draw.normal(size, dim) for size in (V, 12, 2))
    total = words[ids] + places[:length] + kinds[segments]
    return (ids, segments, words, places, kinds), F.layer_norm(total, (dim,), eps=1e-12)


@fresh("05.choose", view=value_of)
def choose(draw: Draw) -> Case:
    shape = draw.randint(2, 5), draw.randint(12, 60)
    maskable = draw.uniform_tensor(*shape) < draw.choice([0.3, 0.9])
    arguments = maskable, draw.uniform_tensor(*shape), draw.choice([0.131, 0.287])
    return arguments, Choose.choose(*arguments)


@fresh("05.mask", view=value_of)
def hide(draw: Draw) -> Case:
    shape, mask_id = (draw.randint(2, 4), draw.randint(30, 60)), draw.randint(1, 9)
    ids, drawn = draw.integers(10, 50, *shape), draw.integers(60, 90, *shape)
    chosen, fate = draw.uniform_tensor(*shape) < 0.4, draw.uniform_tensor(*shape)
    arguments = ids, chosen, fate, drawn, mask_id
    return arguments, Mask.hide(arguments)


@fresh("05.mlm_loss", view=value_of)
def mlm_loss(draw: Draw) -> Case:
    rows, places, dim, V = 3, draw.randint(4, 9), draw.randint(3, 7), draw.randint(6, 14)
    hidden, table, bias = draw.normal(rows, places, dim), draw.normal(V, dim), draw.normal(V)
    labels = draw.integers(0, V, rows, places)
    labels[draw.uniform_tensor(rows, places) < 0.7] = -100
    labels[0, 1], labels[1, 0] = 0, V - 1
    logits = (hidden @ table.T + bias).flatten(0, 1)  # (rows * places, V)
    return (hidden, table, bias, labels), F.cross_entropy(logits, labels.flatten())


@fresh("05.find_the_bug", view=value_of)
def pretraining_loss(draw: Draw) -> Case:
    rows, places, V = draw.randint(2, 4), draw.randint(3, 6), draw.randint(5, 12)
    words, labels = draw.normal(rows, places, V), draw.integers(0, V, rows, places)
    weights = (torch.arange(places) < draw.integers(1, places, rows)[:, None]).float()
    pairs, follows = draw.normal(rows, 2), draw.integers(0, 2, rows)
    each = F.cross_entropy(words.flatten(0, 1), labels.flatten(), reduction="none")
    mlm = (each * weights.flatten()).sum() / weights.sum()
    return (words, labels, weights, pairs, follows), mlm + F.cross_entropy(pairs, follows)


@fresh("05.pretrain", view=lambda found: (list(map(list, found[0])), found[1]), trials=2)
def pretrain(draw: Draw) -> Case:
    case = draw.randint(10, 10_000), draw.randint(10, 40), draw.choice([0.003, 0.01])
    return case, Pretrain.variant(*case)


def names_and_shares(found: Any) -> tuple:
    """Both in one order, so that they compare part by part."""
    gaps = value_of(found)
    pairs = [(str(name), float(share)) for gap in gaps for name, share in gap]
    return tuple(name for name, _ in pairs), [share for _, share in pairs]


@fresh("05.fill_in", view=names_and_shares)
def fill_in(draw: Draw) -> Case:
    tokens = [f"w{number}" for number in range(draw.randint(8, 20))]
    tokens[draw.randint(0, 7)] = "[MASK]"
    ids = draw.integers(0, len(tokens), draw.randint(4, 9))
    ids[1] = ids[3] = tokens.index("[MASK]")
    logits = 2 * draw.normal(len(ids), len(tokens))
    arguments = logits, ids, tokens, draw.randint(1, 5)
    return arguments, [FillIn.best(logits.softmax(-1), *arguments[1:]), False]


@fresh("05.parameters")
def parameters(draw: Draw) -> Case:
    V, dim, layers = draw.randint(500, 50_000), 8 * draw.randint(2, 99), draw.randint(1, 24)
    size = V, dim, layers, draw.randint(2, 5) * dim, draw.randint(16, 2000)
    return size, Parameters.count(*size[:4], positions=size[4])
