"""The small language model that tests train, stop and resume."""

from torch import nn


class Recurrent(nn.Module):
    """A language model with dropout that carries its state from window to window."""

    def __init__(self, vocab=20, width=12):
        super().__init__()
        self.embed, self.drop = nn.Embedding(vocab, width), nn.Dropout(0.3)
        self.lstm, self.out = nn.LSTM(width, width, batch_first=True), nn.Linear(width, vocab)
        self.out.weight = self.embed.weight
        self.state = None

    def loss(self, batch):
        state = None if batch["reset"] else self.state
        hidden, state = self.lstm(self.drop(self.embed(batch["input_ids"])), state)
        self.state = tuple(s.detach() for s in state)
        logits, targets = self.out(self.drop(hidden)).flatten(0, 1), batch["targets"].flatten()
        loss = nn.functional.cross_entropy(logits, targets, reduction="sum")
        return loss, (targets >= 0).sum()

    def stream_state(self):
        return self.state

    def load_stream_state(self, state):
        self.state = state
