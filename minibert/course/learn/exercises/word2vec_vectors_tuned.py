"""Chapter 01: vectors that are trained with the rest."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong


class FindTheBug(Exercise):
    id = "01.find_the_bug"
    title = "Find the bug: the vectors that never learn"
    minutes, difficulty, importance, points = 8, 3, 5, 3
    hints = (
        "Train it for a few steps and compare the table of vectors before and after.",
        "Which modules does `list(model.parameters())` know? Where is `nn.Embedding` created?",
        "A layer made inside `forward` is new at every call: make it once, in `__init__`.",
    )

    def as_functions(self, classifier: Any) -> tuple:
        return (partial(self.seen, classifier),)

    @staticmethod
    def seen(classifier: Any, vectors: Tensor, ids: Tensor, targets: Tensor) -> dict:
        """What shows of a classifier of three labels: its tables, layers, outputs, a gradient."""
        given = vectors.clone()
        model = classifier(given, 3)
        tables = [p for p in model.parameters() if p.shape == vectors.shape]
        embedding = any(isinstance(module, nn.Embedding) for module in model.modules())
        found: dict[str, Any] = {"tables": tables, "embedding": embedding}
        found["shared"] = any(p.data_ptr() == given.data_ptr() for p in tables)
        found["unseen"] = FindTheBug.unseen(model, vectors)
        found["learns"] = [table.requires_grad for table in tables]
        if found["learns"] == [True]:
            linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
            found["layers"] = [(layer.weight, layer.bias) for layer in linear]
            found["logits"], found["again"] = model(ids), model(ids)
            F.cross_entropy(found["logits"], targets).backward()
            found["gradient"] = tables[0].grad
            found["frozen"] = any(not p.requires_grad for p in model.parameters())
            found["four"] = classifier(vectors.clone(), 4)(ids).shape[-1]
        return found

    @staticmethod
    def unseen(model: nn.Module, vectors: Tensor) -> str:
        """What keeps the table from `model.parameters()`, or an empty text."""
        own = vars(model).values()
        if any(x.shape == vectors.shape for x in model.buffers()):
            return "the table is a buffer, which no optimiser sees: make it an `nn.Parameter`."
        if any(isinstance(part, nn.Module) for x in own if type(x) in (list, tuple) for part in x):
            return "`parameters()` does not look into a plain list: use `nn.ModuleList`."
        if any(torch.is_tensor(x) and x.requires_grad for x in own):
            return "a plain tensor is not among the parameters: make it an `nn.Parameter`."
        return ""

    def untouched(self, seen: Any) -> bool:
        ids, targets = torch.tensor([[0]]), torch.tensor([0])
        found = seen(torch.eye(4), ids, targets)
        return not found["embedding"] and not found["tables"] and not found["unseen"]

    def check(self, seen: Any) -> Right | Wrong:
        vectors = torch.arange(60.0).view(12, 5).sin()
        ids, targets = torch.tensor([[1, 2, 3], [4, 5, 5]]), torch.tensor([0, 2])
        found = seen(vectors, ids, targets)
        tables, gradient = found["tables"], found.get("gradient")
        if not tables and found["unseen"]:
            return Wrong(found["unseen"], 1)
        if len(tables) != 1:
            return Wrong(f"expected one table of vectors among the parameters, got {len(tables)}.")
        if not found["learns"][0]:
            return Wrong("the table is there, but frozen: `from_pretrained(..., freeze=False)`.", 1)
        if not same(tables[0], vectors):
            return Wrong("the table does not begin with the pre-trained vectors.", 1)
        if found["shared"]:
            return Wrong("training would change the vectors that were given: keep `.clone()`.", 2)
        if found["frozen"]:
            return Wrong("the linear layer is frozen: all the parameters should learn.", 1)
        if found["four"] != 4:
            return Wrong("the number of labels is written in: use the argument `labels`.", 1)
        if not same(found["logits"], found["again"]):
            return Wrong("two calls on one input differ: something is still made in `forward`.", 1)
        if gradient is None or not gradient.abs().sum() > 0:
            return Wrong("no gradient reaches the table: does `forward` use it?", 1)
        return self.output(found, vectors[ids])

    @staticmethod
    def output(found: dict, rows: Tensor) -> Right | Wrong:
        if len(found["layers"]) != 1:
            return Wrong(f"expected one linear layer, got {len(found['layers'])}.", 1)
        weight, bias = found["layers"][0]

        def of(summary: Tensor) -> Tensor:
            return summary @ weight.T + (0 if bias is None else bias)

        mistakes = [
            (of(rows.sum(1)), "the vectors are summed: the class promises their mean.", 2),
            (of(rows.amax(1)), "this is the maximum over the words: take the mean.", 2),
            (of(rows[:, 0]), "only the first word counts: take the mean.", 2),
            (of(rows[:, -1]), "only the last word counts: take the mean.", 2),
            (of(rows.mean(1)).softmax(1), "these are probabilities: return the scores.", 2),
            (of(rows.mean(1)).log_softmax(1), "these are log-probabilities: return the scores.", 2),
        ]  # fmt: skip
        right = "Now the optimiser sees the vectors, and fine-tuning does what its name says."
        want = of(rows.mean(1))
        return compare(found["logits"], want, mistakes, what="the scores", right=right)
