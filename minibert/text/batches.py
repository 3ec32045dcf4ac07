"""Batches: what a training loop reads, one epoch after another, from a position it can save.

The order of an epoch, and every random draw inside a batch, is a function of (seed, epoch, step).
The position is therefore two numbers, and a run that is resumed sees exactly the batches that it
would have seen without the break.
"""

import numpy as np
import torch

from minibert.text.inputs import IGNORE


class Batches:
    """Base class. Iterating gives the *rest of the current epoch*.

    With the last batch of an epoch the position moves to the start of the next one, so there is
    always something left to give. Passes may overlap (`of_epoch` does not move the position).

    A subclass defines ``plan(epoch)``, a list with one entry per batch, and
    ``collate(entry, rng)``, the dict of CPU tensors made from it. ``SETTINGS`` names the attributes
    that a saved position depends on, beside the seed. ``len()`` is the number of batches in the
    current epoch; ``epoch`` and ``step``, the position.
    """

    SETTINGS: tuple[str, ...] = ()

    def __init__(self, seed=0):
        self.seed, self.epoch, self.step = seed, 0, 0

    def plan(self, epoch):
        raise NotImplementedError(f"{type(self).__name__} must define plan(epoch)")

    def collate(self, entry, rng):
        raise NotImplementedError(f"{type(self).__name__} must define collate(entry, rng)")

    def identity(self):
        """What must be the same for a saved position to mean the same batches."""
        settings = {name: getattr(self, name) for name in self.SETTINGS}
        return {"kind": type(self).__name__, "seed": self.seed, **settings}

    def rng(self, epoch, step=-1):
        """The NumPy generator of one batch, or with ``step=-1`` of the order of an epoch."""
        return np.random.default_rng([self.seed, epoch, step + 1])

    def of_epoch(self, epoch, start=0):
        """The batches of an epoch from step ``start`` on; does not move the position."""
        plan = self.plan(epoch)
        for step in range(start, len(plan)):
            yield self.collate(plan[step], self.rng(epoch, step))

    def __iter__(self):
        epoch, start, size = self.epoch, self.step, len(self)
        if 0 < size <= start:  # a position at the end of an epoch
            epoch, start, size = epoch + 1, 0, len(self.plan(epoch + 1))
        for step, batch in enumerate(self.of_epoch(epoch, start), start + 1):
            self.epoch, self.step = (epoch, step) if step < size else (epoch + 1, 0)
            yield batch

    def __len__(self):
        return len(self.plan(self.epoch))

    def state_dict(self):
        """The position: the next batch to give is step ``step`` of epoch ``epoch``."""
        return {"epoch": self.epoch, "step": self.step, **self.identity()}

    def load_state_dict(self, state):
        """Go to a saved position. Raises ValueError if it was saved by other batches."""
        for name, value in self.identity().items():
            if state.get(name) != value:
                raise ValueError(
                    f"the saved position belongs to other batches: {name} was {state.get(name)!r}, "
                    f"here it is {value!r}; give the same data and settings, or start again"
                )
        self.epoch, self.step = state["epoch"], state["step"]


class ListBatches(Batches):
    """Batches from a list, in its order."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def plan(self, epoch):
        return self.batches

    def collate(self, entry, rng):
        return entry

    def identity(self):
        return {**super().identity(), "batches": len(self.batches)}


class RowBatches(Batches):
    """Base of batches that are made of ``count`` examples, each seen once per epoch.

    The last batch of an epoch may be smaller; ``drop_last=True`` leaves out its examples: the
    last ones, or with ``shuffle`` others in each epoch.

    Raises ValueError where there would be no batch.
    """

    SETTINGS = ("count", "batch_size", "shuffle", "drop_last")

    def __init__(self, count, batch_size, shuffle=True, drop_last=False, *, seed=0):
        super().__init__(seed)
        if count < 1 or batch_size < 1:
            raise ValueError(
                f"expected at least one example and a batch size of at least one, "
                f"got {count} examples and batch_size={batch_size}"
            )
        if drop_last and count < batch_size:
            raise ValueError(
                f"expected at least batch_size={batch_size} examples with drop_last=True, got "
                f"{count}: there would be no batch"
            )
        self.count, self.batch_size = count, batch_size
        self.shuffle, self.drop_last = shuffle, drop_last

    def order(self, rng):
        """The examples of an epoch in their order: int64 array (count,), or fewer to drop some."""
        order = rng.permutation(self.count) if self.shuffle else np.arange(self.count)
        return order[: self.count - self.count % self.batch_size] if self.drop_last else order

    def plan(self, epoch):
        rng = self.rng(epoch)
        batches = _cut(self.order(rng), self.batch_size)
        if self.shuffle:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        return batches

    def __len__(self):
        return (self.count + (0 if self.drop_last else self.batch_size - 1)) // self.batch_size


class ArrayBatches(RowBatches):
    """Rows of aligned arrays: (centre, context) pairs, features with their labels.

    ``arrays``: NumPy arrays or tensors of equal first dimension, by name; a batch is a dict with
    the same names, integers as int64.

    >>> centre, context = np.array([5, 6, 7]), np.array([6, 5, 8])
    >>> next(iter(ArrayBatches(2, shuffle=False, centre=centre, context=context)))
    {'centre': tensor([5, 6]), 'context': tensor([6, 5])}
    """

    def __init__(self, batch_size, shuffle=True, drop_last=False, seed=0, **arrays):
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"expected arrays of one length, got {lengths or 'no array'}")
        super().__init__(next(iter(lengths.values())), batch_size, shuffle, drop_last, seed=seed)
        self.arrays = arrays

    def collate(self, entry, rng):
        return {name: _tensor(array[entry]) for name, array in self.arrays.items()}


class PaddedBatches(RowBatches):
    """Sequences of different lengths, padded to the longest of their batch.

    ``examples``: a sequence of lists of ids, or of dicts with ``input_ids`` and whatever else goes
    with them. In a dict, sequences are padded (``input_ids`` with ``pad_id``, ``labels`` with
    -100, others with 0) and numbers are stacked. A batch is a dict of tensors with the same names,
    ``input_ids`` (batch, length), and ``attention_mask`` (batch, length), 1 for a real token.

    ``by_length``: put examples of similar length together, which saves padding. With ``shuffle``,
    they are sorted within pools of ``POOL`` batches drawn at random, and the batches are shuffled.
    Without it, all are sorted (``plan(0)`` says where each example is). ``max_length`` cuts
    longer sequences.

    Raises ValueError for an empty sequence, examples with different names, or no batch.
    """

    SETTINGS = (*RowBatches.SETTINGS, "by_length", "max_length")
    POOL = 50
    PADDING = {"labels": IGNORE}

    def __init__(
        self,
        examples,
        batch_size,
        pad_id=0,
        *,
        shuffle=True,
        by_length=True,
        max_length=None,
        drop_last=False,
        seed=0,
    ):
        if isinstance(examples, dict | str) or not hasattr(examples, "__getitem__"):
            raise ValueError(
                f"expected a list of examples, got one {type(examples).__name__}: put it in a list"
            )
        super().__init__(len(examples), batch_size, shuffle, drop_last, seed=seed)
        self.examples, self.max_length, self.by_length = examples, max_length, by_length
        self.padding = {**self.PADDING, "input_ids": pad_id}
        self.lengths = np.array([len(_named(example)["input_ids"]) for example in examples])
        if not self.lengths.all():
            at = int(np.argmin(self.lengths))
            raise ValueError(f"expected at least one token in each example, example {at} has none")

    def order(self, rng):
        order = super().order(rng)
        if not self.by_length:
            return order
        pools = _cut(order, self.POOL * self.batch_size) if self.shuffle else [order]
        return np.concatenate(
            [pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools]
        )

    def collate(self, entry, rng):
        examples = [_named(self.examples[i]) for i in entry]
        names = examples[0].keys()
        for i, example in zip(entry, examples, strict=True):
            if example.keys() != names:
                raise ValueError(
                    f"examples of a batch must have the same names: example {entry[0]} has "
                    f"{sorted(names)}, example {i} has {sorted(example)}"
                )
        batch = {name: self._stack(name, [e[name] for e in examples]) for name in names}
        lengths = [len(example["input_ids"][: self.max_length]) for example in examples]
        places = torch.arange(batch["input_ids"].shape[1])
        mask = places < torch.tensor(lengths)[:, None]  # (batch, length)
        return {**batch, "attention_mask": mask.long()}

    def _stack(self, name, values):
        if np.ndim(values[0]) == 0:
            return _tensor(np.array(values))
        values = [np.asarray(value)[: self.max_length] for value in values]
        shape = (len(values), max(map(len, values)), *values[0].shape[1:])
        stacked = np.full(shape, self.padding.get(name, 0), np.result_type(*values))
        for row, value in zip(stacked, values, strict=True):
            row[: len(value)] = value
        return _tensor(stacked)


class BPTTBatches(Batches):
    """One long text as ``batch_size`` parallel streams, read ``bptt`` tokens at a time.

    Row b of a batch continues row b of the batch before it, so that a recurrent model can carry
    its state over. A batch has ``input_ids`` and ``targets``, both (batch_size, length) and
    int64: ``targets[b, t]`` is the token after ``input_ids[b, t]``, and -100 past the end of the
    text; every token but the first is a target exactly once per epoch. ``reset`` is True on the
    first batch of an epoch, where the model starts from a fresh state.

    ``vary=True`` draws each window's length as AWD-LSTM does (Merity et al. 2018, section 4.1):
    normal around ``bptt`` (or half of it, one time in twenty) with deviation 5, at least 5; the
    learning rate is then to be scaled by length / bptt.

    ``ids``: one-dimensional integer array, at least two tokens; may be memory-mapped.
    """

    SETTINGS = ("tokens", "batch_size", "bptt", "vary")

    def __init__(self, ids, batch_size, bptt, vary=False, *, seed=0):
        super().__init__(seed)
        if len(ids) < 2 or batch_size < 1 or bptt < 1:
            raise ValueError(
                f"expected at least two ids and positive batch_size and bptt, "
                f"got {len(ids)} ids, batch_size={batch_size}, bptt={bptt}"
            )
        self.ids, self.batch_size, self.bptt, self.vary = ids, batch_size, bptt, vary
        self.tokens = len(ids)
        self.length = -(-(len(ids) - 1) // batch_size)  # of each stream, in targets

    def plan(self, epoch):
        """Windows (start, stop) in each stream."""
        if not self.vary:
            starts = range(0, self.length, self.bptt)
            return [(start, min(start + self.bptt, self.length)) for start in starts]
        rng, stops = self.rng(epoch), [0]
        while stops[-1] < self.length:
            mean = self.bptt if rng.random() < 0.95 else self.bptt / 2
            stops.append(min(stops[-1] + max(5, int(rng.normal(mean, 5))), self.length))
        return list(zip(stops[:-1], stops[1:], strict=True))

    def collate(self, entry, rng):
        start, stop = entry
        shape = (self.batch_size, stop - start)
        input_ids, targets = np.zeros(shape, np.int64), np.full(shape, IGNORE, np.int64)
        for b in range(self.batch_size):
            first = b * self.length + start
            window = np.asarray(self.ids[first : first + stop - start + 1])
            real = max(0, len(window) - 1)
            input_ids[b, :real], targets[b, :real] = window[:real], window[1:]
        return {
            "input_ids": torch.from_numpy(input_ids),
            "targets": torch.from_numpy(targets),
            "reset": start == 0,
        }


def _cut(array, size):
    """Slices of ``size``; the last one may be smaller."""
    return np.split(array, range(size, len(array), size))


def _named(example):
    return example if isinstance(example, dict) else {"input_ids": example}


def _tensor(array):
    """An array or tensor as a tensor, integers as int64."""
    tensor = torch.as_tensor(array)
    return tensor if tensor.is_floating_point() or tensor.dtype == torch.bool else tensor.long()
