"""Training in several processes, each on its share of every batch: started by torchrun.

``torchrun --nproc-per-node=2 -m minibert pretrain bert ...``. All processes draw the same batches,
and each keeps every size-th row. PyTorch's DistributedDataParallel adds the gradients up, and sums
are divided by the counts of all processes together: it is the training that one process would do,
but for dropout, whose masks differ, and for the order of additions. (A model that adds two means,
as `minibert.heads.Pretraining` does, weighs a process's pairs by its masked words, as it does with
batches that are accumulated.) gloo on CPUs, nccl on GPUs.
"""

import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from minibert.text.batches import Batch

Loss = tuple[Tensor, float]  # the sum of the losses, and how many were added
TABLES = ("characters",)  # names in a batch of what rows point into: ELMo's spelled words


def rank() -> int:
    """The number of this process, 0 for a single one."""
    return distributed.get_rank() if _running() else 0


def size() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if _running() else 1


def _device() -> str:
    """Where the processes exchange numbers."""
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"


def _running() -> bool:
    return distributed.is_available() and distributed.is_initialized()


@contextmanager
def processes() -> Iterator[None]:
    """Join the processes that torchrun has started, if it has; only the first one prints."""
    if int(os.environ.get("WORLD_SIZE", 1)) < 2 or _running():
        yield
        return
    cuda = torch.cuda.is_available() and os.environ.get("MINIBERT_DEVICE", "cuda") != "cpu"
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere if rank() else sys.stdout):
            yield
    finally:
        distributed.destroy_process_group()


class _Loss(nn.Module):
    """A model's loss as a forward pass, which DistributedDataParallel wants."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Loss:
        return self.model.loss(batch)


def loss_of(model: Any) -> Callable[[Any], Loss]:
    """What gives (sum of losses, count) of a batch: ``model.loss``, in several processes joined."""
    if size() == 1:
        return model.loss
    torch.manual_seed(torch.initial_seed() + rank())  # dropout masks of its own
    return DistributedDataParallel(_Loss(model), find_unused_parameters=True)


def share(batch: Any) -> Any:
    """This process's rows of a batch: a tensor, or a dict, list or tuple of them, (rows, ...).

    Tensors without a dimension and other values go to every process, and so do the `TABLES` that
    rows point into. Where a batch says how many ``sequences`` an example has, it is cut between
    examples. Raises ValueError for fewer rows than processes, and for tensors that differ in rows.
    """
    if size() == 1:
        return batch
    several = batch.get("sequences", 1) if isinstance(batch, dict) else 1
    lengths = set[int]()
    each_tensor(batch, lambda tensor: lengths.update(tensor.shape[:1]), TABLES)
    examples = min(lengths, default=0)
    if not lengths <= {examples, examples * several}:
        told = f"to share them among {size()} processes, got {sorted(lengths)}"
        raise ValueError(f"expected the tensors of a batch to have one number of rows, {told}")
    if examples < size():
        least = f"at least {size()} rows, one for each process"
        raise ValueError(f"expected batches of {least}, got {examples}")

    def rows(tensor: Tensor) -> Tensor:
        """Those of this process's examples."""
        if not tensor.ndim:
            return tensor
        of_examples = tensor.unflatten(0, (examples, -1))  # (examples, rows of each, ...)
        return of_examples[rank() :: size()].flatten(0, 1)

    return each_tensor(batch, rows, TABLES)


def each_tensor(batch: Any, change: Callable[[Tensor], Any], but: Collection[str] = ()) -> Any:
    """A batch with ``change(tensor)`` for each tensor in it, but for entries of a dict named so."""
    if torch.is_tensor(batch):
        return change(batch)
    if isinstance(batch, dict):
        return {n: v if n in but else each_tensor(v, change, but) for n, v in batch.items()}
    if isinstance(batch, list | tuple):
        changed = [each_tensor(value, change, but) for value in batch]
        return tuple(changed) if isinstance(batch, tuple) else changed
    return batch


def gathered(value: Any) -> list[Any]:
    """What each process gives, a list by rank; on every one of them."""
    if size() == 1:
        return [value]
    found: list[Any] = [None] * size()
    distributed.all_gather_object(found, value)
    return found


def agree(wish: bool) -> bool:
    """Whether any process wishes it: the same answer on all of them."""
    return wish if size() == 1 else total(float(wish), _device()) > 0


def total(number: float, device: torch.device | str) -> float:
    """The sum of a number over all processes, a float."""
    if size() == 1:
        return float(number)
    summed = torch.tensor(float(number), dtype=torch.float64, device=device)
    distributed.all_reduce(summed)
    return summed.item()
