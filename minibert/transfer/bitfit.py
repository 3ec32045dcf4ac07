"""BitFit: only the biases learn.

Ben Zaken et al. (2022), "BitFit: Simple Parameter-efficient Fine-tuning", arXiv:2106.10199.
"""

from torch import nn

from minibert.transfer.places import Replacement


def put(model: nn.Module) -> list[Replacement]:
    """Nothing new is put into the model; ValueError for one without a bias."""
    if not any(is_bias(name) for name, _ in model.named_parameters()):
        raise ValueError(f"this {type(model).__name__} has no bias that could learn")
    return []


def is_bias(name: str) -> bool:
    """Whether a parameter is a bias: of a linear layer, of a norm, of an LSTM."""
    return name.rpartition(".")[2].startswith("bias")
