"""A small training run that saves all the time, to be killed: what `test_kills` starts.

It trains once without a checkpoint and says what that gave. Then it waits for folders on stdin,
and forks a process for each that trains there with a checkpoint after every update. The process
says its number, ``saved N`` after each checkpoint, and in the end its losses and a digest of its
weights as JSON.
"""

import hashlib
import json
import os
import sys

import numpy as np
import torch
from recurrent import Recurrent
from torch import nn

import minibert as mb
from minibert.storage import checkpoint
from minibert.text import BPTTBatches

STEPS = 40
PADDING = 50_000  # numbers beside the model's own, so that writing takes a while


class Model(Recurrent):
    """With numbers that do nothing, so that writing a checkpoint takes a while."""

    def __init__(self):
        super().__init__()
        self.padding = nn.Parameter(torch.randn(PADDING))

    def loss(self, batch):
        loss, count = super().loss(batch)
        return loss + 1e-4 * self.padding.square().sum(), count


def train(folder):
    mb.seed_everything(3)
    text = np.cumsum(np.random.default_rng(0).integers(0, 3, 600)) % 20
    options = {"checkpoint": folder, "checkpoint_every": 1} if folder else {}
    model, batches = Model(), BPTTBatches(text, 4, 7, vary=True)
    valid = BPTTBatches(text[:100], 2, 7)
    history = mb.fit(
        model, batches, steps=STEPS, valid=valid, valid_every=5, progress=False, device="cpu",
        **options,
    )  # fmt: skip
    state = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    told = {"loss": history.loss, "valid": history.valid_loss}
    print(json.dumps({**told, "weights": hashlib.sha256(state).hexdigest()}), flush=True)


def tell_what_is_saved():
    save = checkpoint.Checkpoints.save

    def told(self, step, *rest):
        save(self, step, *rest)
        print("saved", step, flush=True)

    checkpoint.Checkpoints.save = told


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(None)
    tell_what_is_saved()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            print("number", os.getpid(), flush=True)
            train(line.strip())
            os._exit(0)
        os.waitpid(child, 0)
        print("gone", flush=True)
