"""The layers of a model from bottom to top, and a learning rate for each of them.

One convention serves every model. A model may have a method ``layer_groups()``, a list of lists of
modules, the lowest layer first::

    def layer_groups(self):
        return [[self.embedding], *([block] for block in self.blocks), [self.output]]

Without one, its children are its groups, in the order in which they were made, and a child called
``encoder`` stands for its own groups: its ``encoder_groups()``, where a language model has them,
are those without its output layer. A parameter that two groups share belongs to the lower one; a
parameter in no group belongs to the highest.
"""

from torch import nn

from minibert.training.optim import Group, decay_groups


def layer_groups(model: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of each layer, the lowest first, each once; ValueError without any."""
    groups, seen = list[list[nn.Parameter]](), set[nn.Parameter]()
    for modules in _modules(model):
        own = [p for p in nn.ModuleList(modules).parameters() if p not in seen]
        seen.update(own)
        groups += [own] if own else []
    rest = [p for p in model.parameters() if p not in seen]
    groups = groups or [[]]
    groups[-1] += rest
    if not groups[-1]:
        raise ValueError(f"{type(model).__name__} has no parameters: there is nothing to group")
    return groups


def discriminative_groups(
    model: nn.Module, rate: float, factor: float = 2.6, weight_decay: float = 0.01
) -> list[Group]:
    """Parameter groups for an optimiser: the top layer at ``rate``, each one below / ``factor``.

    Howard & Ruder 2018, section 3.2. As in `minibert.training.optim.parameter_groups`, biases and
    norms do not decay, so a layer may make two groups; frozen parameters make none. The highest
    layer comes first, so that the rate in a run's history is ``rate``. Raises ValueError unless
    rate > 0 and factor > 0, and for a model that is frozen as a whole.
    """
    if not (rate > 0 and factor > 0):
        raise ValueError(f"expected a rate and a factor above 0, got {rate} and {factor}")
    layers, found = layer_groups(model), []
    for depth, parameters in enumerate(reversed(layers)):
        found += decay_groups(parameters, weight_decay, lr=rate / factor**depth)
    found = [group for group in found if group["params"]]
    if not found:
        raise ValueError("expected parameters to train, got none: are they all frozen?")
    return found


def _modules(model: nn.Module, method: str = "layer_groups") -> list[list[nn.Module]]:
    """The groups as lists of modules: the model's own, or its children's."""
    if own := getattr(model, method, None) or getattr(model, "layer_groups", None):
        return own()
    found: list[list[nn.Module]] = []
    for name, child in model.named_children():
        found += (_modules(child, "encoder_groups") if name == "encoder" else []) or [[child]]
    return found
