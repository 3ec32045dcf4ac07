"""Training in several processes, each on its share of every batch: started by torchrun.

``torchrun --nproc-per-node=2 -m minibert pretrain bert ...``. All processes draw the same batches,
and each keeps every size-th row. PyTorch's DistributedDataParallel adds the gradients up, and sums
are divided by the counts of all processes together: it is the training that one process would do,
but for dropout, whose masks differ, and for the order of additions. (A model that adds two means,
as `minibert.heads.Pretraining` does, weighs a process's pairs by its masked words, as it does with
batches that are accumulated.) gloo on CPUs, nccl on GPUs.
"""

import os
from contextlib import contextmanager, redirect_stdout

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


def rank():
    """The number of this process, 0 for a single one."""
    return distributed.get_rank() if _running() else 0


def size():
    """How many processes there are."""
    return distributed.get_world_size() if _running() else 1


def _running():
    return distributed.is_available() and distributed.is_initialized()


@contextmanager
def processes():
    """Join the processes that torchrun has started, if it has; only the first one prints."""
    if int(os.environ.get("WORLD_SIZE", 1)) < 2 or _running():
        yield
        return
    cuda = torch.cuda.is_available() and os.environ.get("MINIBERT_DEVICE", "cuda") != "cpu"
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        with open(os.devnull, "w") as nowhere:
            if rank():
                with redirect_stdout(nowhere):
                    yield
            else:
                yield
    finally:
        distributed.destroy_process_group()


class _Loss(nn.Module):
    """A model's loss as a forward pass, which DistributedDataParallel wants."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, batch):
        return self.model.loss(batch)


def loss_of(model):
    """What gives (sum of losses, count) of a batch: ``model.loss``, in several processes joined."""
    if size() == 1:
        return model.loss
    torch.manual_seed(torch.initial_seed() + rank())  # dropout masks of its own
    return DistributedDataParallel(_Loss(model), find_unused_parameters=True)


def share(batch):
    """This process's rows of a batch, a dict of tensors (rows, ...) and other values.

    Raises ValueError for a batch with fewer rows than there are processes.
    """
    if size() == 1:
        return batch
    rows = min(len(value) for value in batch.values() if torch.is_tensor(value) and value.ndim)
    if rows < size():
        raise ValueError(
            f"expected batches of at least {size()} rows, one for each process, got {rows}"
        )
    return {
        name: value[rank() :: size()] if torch.is_tensor(value) and value.ndim else value
        for name, value in batch.items()
    }


def total(number, device):
    """The sum of a number over all processes, a float."""
    if size() == 1:
        return float(number)
    summed = torch.tensor(float(number), dtype=torch.float64, device=device)
    distributed.all_reduce(summed)
    return summed.item()
