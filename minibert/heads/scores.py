"""From scores to a loss or a label, and from one layer's states to the next, for all heads."""

from torch import nn
from torch.nn import functional as F

from minibert.models.softmax import check_scores
from minibert.text.inputs import check_targets, reading_order


def class_loss(logits, labels, name="labels"):
    """(sum of the cross-entropies in nats, number of examples); (n, classes) and (n,).

    Raises ValueError for labels that are no class.
    """
    check_targets(labels, logits.shape[-1], None, name)
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"expected {name} of {len(logits)} rows, got {tuple(labels.shape)}")
    return F.cross_entropy(logits, labels, reduction="sum"), len(labels)


def likeliest(logits):
    """The class with the highest score, on the CPU: (..., classes) -> int64 (...).

    Raises FloatingPointError for scores that are not finite.
    """
    check_scores(logits)
    return logits.argmax(-1).cpu()


def recurrent(lstm, x, mask):
    """A bidirectional LSTM over the tokens of each row, wherever its padding stands.

    x (batch, length, width), mask (batch, length) -> its outputs, 0 at padding, (batch, length,
    2 * hidden), and the last states of both directions, (2 * layers, batch, hidden).
    """
    order = reading_order(mask)
    packed = nn.utils.rnn.pack_padded_sequence(
        x.take_along_dim(order[..., None], 1),
        mask.sum(1).cpu(),
        batch_first=True,
        enforce_sorted=False,
    )
    out, (last, _) = lstm(packed)
    out, _ = nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    return out.take_along_dim(order.argsort(1)[..., None], 1), last
