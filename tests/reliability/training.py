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
from torch import nn

import minibert as mb
from minibert import checkpoint
from minibert.text import BPTTBatches

STEPS = 40
PADDING = 50_000  # numbers beside the model's own, so that writing takes a while


class Model(nn.Module):
    """A recurrent language model with dropout that carries its state from window to window."""

    def __init__(self, vocab=20, width=12):
        super().__init__()
        self.embed, self.drop = nn.Embedding(vocab, width), nn.Dropout(0.3)
        self.lstm, self.out = nn.LSTM(width, width, batch_first=True), nn.Linear(width, vocab)
        self.padding, self.state = nn.Parameter(torch.randn(PADDING)), None

    def loss(self, batch):
        state = None if batch["reset"] else self.state
        hidden, state = self.lstm(self.drop(self.embed(batch["input_ids"])), state)
        self.state = tuple(s.detach() for s in state)
        logits, targets = self.out(self.drop(hidden)).flatten(0, 1), batch["targets"].flatten()
        loss = nn.functional.cross_entropy(logits, targets, reduction="sum")
        return loss + 1e-4 * self.padding.square().sum(), (targets >= 0).sum()

    def stream_state(self):
        return self.state

    def load_stream_state(self, state):
        self.state = state


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
