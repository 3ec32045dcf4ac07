"""Chapter 03: of which parts and layers a classifier is built, and what is wrong with them."""

from collections import Counter
from typing import Any

import torch
from torch import nn

CLASSES, DIM, HEAD = 3, 4, 50
WIDTH = 3 * DIM
A_LIST = "`layers()` should give a list of layers, each of them a list of parameters."
ONCE = (
    "`part.parameters()` can be looked through only once, and a layer is looked through at every "
    "update: make a list, `list(part.parameters())`."
)
PAIRS = "`layers()` has pairs with names: take `part.parameters()`, without the names."
STRANGE = (
    "`layers()` has tensors that are no parameters of the classifier: take `part.parameters()` of "
    "the copy's own parts."
)


def parts(head: nn.Module) -> list[list]:
    """Each part of a head: its kind, and its sizes or its share."""
    leaves = [part for part in head.modules() if not list(part.children())]
    sizes = ("num_features", "in_features", "out_features", "p")
    return [
        [type(leaf).__name__, *(getattr(leaf, s) for s in sizes if hasattr(leaf, s))]
        for leaf in leaves
    ]


def named(made: Any) -> list[list[str]] | str:
    """The names of the parameters of each of its layers, or what is wrong with their form."""
    names = {id(p): name for name, p in made.named_parameters()}
    layers = made.layers()
    if not isinstance(layers, list | tuple):
        return A_LIST
    if any(torch.is_tensor(x) or not hasattr(x, "__iter__") for x in layers):
        return A_LIST
    if any(iter(layer) is layer for layer in layers):
        return ONCE
    flat = [p for layer in layers for p in layer]
    if any(isinstance(p, str | tuple) for p in flat):
        return PAIRS
    if any(id(p) not in names for p in flat):
        return STRANGE if all(map(torch.is_tensor, flat)) else A_LIST
    return [sorted(names[id(p)] for p in layer) for layer in layers]


def built(found: dict[str, Any]) -> str:
    """What is wrong with the parts and the layers of a classifier, "" if nothing is."""
    wanted: list[list] = [["BatchNorm1d", WIDTH], ["Dropout", 0.4], ["Linear", WIDTH, HEAD],
                          ["ReLU"], ["BatchNorm1d", HEAD], ["Dropout", 0.1],
                          ["Linear", HEAD, CLASSES]]  # fmt: skip
    if not found["own"]:
        return "the encoder is the language model itself: train a copy, `copy.deepcopy(model)`."
    if found["parts"][-1:] in ([["Softmax"]], [["LogSoftmax"]]):
        return "the head ends in a softmax: `F.cross_entropy` takes the scores as they are."
    if found["parts"] != wanted:
        both = zip(wanted, found["parts"], strict=False)
        at = next((i for i, (a, b) in enumerate(both) if a != b), len(found["parts"]))
        mine = " ".join(str(x) for x in [*found["parts"], ["missing"]][at])
        other = " ".join(str(x) for x in wanted[at]) if at < len(wanted) else "the end"
        return f"part {at} of the head (from 0) should be {other}, but is {mine}."
    return found["layers"] if isinstance(found["layers"], str) else layered(found["layers"])


def layered(layers: list[list[str]]) -> str:
    """What is wrong with the layers, "" if nothing is."""
    flat = Counter(name for layer in layers for name in layer)
    heights = [["encoder.embedding"], *([f"encoder.layers.{i}"] for i in range(2)), ["head"]]
    mine = [sorted({name.rsplit(".", 1)[0] for name in layer} - {"encoder.decoder"})
            for layer in layers]  # fmt: skip
    mine = [[*{name.split(".")[0] if name.startswith("head") else name for name in layer}]
            for layer in mine]  # fmt: skip
    if mine == heights[::-1]:
        return "`layers()` begins at the head: the lowest layer comes first."
    if mine == heights[:-1]:
        return "the head is missing in `layers()`: nothing would train it."
    if mine == heights[1:]:
        return "the word vectors are missing in `layers()`: they are the lowest layer."
    if mine != heights:
        return (f"`layers()` should have {len(heights)} layers here (word vectors, two LSTMs, "
                f"head), but has {len(mine)}, or they hold other parts.")  # fmt: skip
    return "" if max(flat.values()) == 1 and len(flat) >= 15 else "a layer has lost parameters."
