"""The build of chapter 05: the loop that pre-trains a BERT on both tasks."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minibert.course.learn.compare import compare, same
from minibert.course.learn.exercise import Exercise, Right, Wrong
from minibert.course.learn.exercises.bert_input import Choose, Mask
from minibert.course.learn.exercises.ch06_rate import rate_at

V, MASK, FIRST_WORD = 23, 1, 5  # pieces, the id of [MASK] (not the chapter's), the first word
ENDS, LENGTH = ((5, 14), (7, 12), (4, 9), (6, 14)), 15  # of both texts of each row
CASES = (1, 12, 0.03), (2, 20, 0.01)  # seed, steps, peak of the rate
QUIET = 0.7
CHAPTERS_MASK = 4  # the id of [MASK] in the vocabulary of the chapter
Batch = dict[str, Tensor]
CLOSE = 1e-6  # all numbers of the check are float64
BOTH = (
    "expected a list with a pair (masked words, next sentences) for each step, two plain numbers, "
)


class Output(nn.Module):
    """From states to what the table of words reads."""

    def __init__(self, table: nn.Parameter) -> None:
        super().__init__()
        self.dense, self.decoder = nn.Linear(*table.shape[1:] * 2), nn.Linear(*table.T.shape)
        self.decoder.weight = table

    def transform(self, states: Tensor) -> Tensor:
        return self.dense(states).tanh()


class Small(nn.Module):
    """Stands in for `minibert.heads.Pretraining`: called alike, but made of five small layers."""

    encoder: Any

    def __init__(self, dim: int = 6) -> None:
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.embeddings = nn.ModuleDict({"word": nn.Embedding(V, dim)})
        self.kinds, self.mix = nn.Embedding(2, dim), nn.Linear(2 * dim, dim)
        self.pooler, self.next = nn.Linear(dim, dim), nn.Linear(dim, 2)
        self.output = Output(self.encoder.embeddings.word.weight)

    def read(
        self, ids: Tensor, attention_mask: Tensor | None = None, kinds: Tensor | None = None
    ) -> Tensor:
        real = torch.ones_like(ids) if attention_mask is None else attention_mask
        x = self.encoder.embeddings.word(ids)
        x = x + self.kinds(torch.zeros_like(ids) if kinds is None else kinds)
        share = (real / real.sum(1, keepdim=True))[..., None].to(x.dtype)  # (batch, length, 1)
        beside = x.roll(1, 1) + (x * share).sum(1, keepdim=True)
        return self.mix(torch.cat((x, beside), -1)).tanh()

    def pool(self, first: Tensor) -> Tensor:
        return self.pooler(first).tanh()


class Pretrain(Exercise):
    id = "05.pretrain"
    title = "Build: the loop that pre-trains BERT"
    minutes, difficulty, importance, points = 20, 3, 5, 6
    hints = (
        "Before the loop: `optimizer = torch.optim.AdamW(model.parameters(), lr=top)` and "
        "`schedule = mb.optim.linear(steps, warmup=steps // 10)`, with `steps = len(batches)`.",
        "Hide words in each step: `noise, fate, drawn = draw(ids)`, then your `choose` with "
        "`batch['maskable']`, then your `hide`. The model reads what `hide` leaves, not `ids`.",
        "The update: set `group['lr'] = top * schedule(step)` for each group of "
        "`optimizer.param_groups`, `zero_grad()`, `backward()` on the sum of both losses, "
        "`nn.utils.clip_grad_norm_(model.parameters(), 1.0)`, `step()`.",
    )

    def as_functions(self, pretrain: Any) -> tuple:
        def tried(seed, steps, top):
            """(the losses, the table of words afterwards, whether the batches are as they were)."""
            model, batches, draw = self.problem(seed, steps)
            before = [{name: x.clone() for name, x in batch.items()} for batch in batches]
            losses = pretrain(model, batches, top, draw, MASK)
            if isinstance(losses, tuple | list):
                losses = [list(x) if isinstance(x, tuple | list) else x for x in losses]
            kept = len(before) == len(batches) and all(
                old.keys() == new.keys() and all(torch.equal(old[name], new[name]) for name in old)
                for old, new in zip(before, batches, strict=True)
            )
            return losses, model.encoder.embeddings.word.weight.detach().clone(), kept

        return (tried,)

    def untouched(self, tried: Any) -> bool:
        losses = tried(0, 2, 0.01)[0]
        return losses is None or losses is Ellipsis or (type(losses) is list and not losses)

    def check(self, tried: Any) -> Right | Wrong:
        for number, case in enumerate(CASES):
            losses, table, kept = tried(*case)
            wrong = self.form(losses, case[1])
            if wrong or not kept:
                return wrong or Wrong("the batches were changed: make new tensors.", 2)
            wrong = (None if number else self.first(losses[0])) or self.trained(losses, table, case)
            if wrong:
                return wrong
        return Right("Choose, hide, guess, learn: BERT was trained so, only for longer.")

    @staticmethod
    def form(losses: Any, count: int) -> Wrong | None:
        """What is wrong with the list of losses, whatever its numbers are."""
        if not isinstance(losses, list | tuple):
            return Wrong(f"{BOTH}but `pretrain` gives an object of type {type(losses).__name__}.")
        if any(torch.is_tensor(x) for x in losses):
            return Wrong("the list holds tensors, which keep every graph alive: `.item()`.", 3)
        pairs = [x for x in losses if isinstance(x, list | tuple) and len(x) == 2]
        if any(torch.is_tensor(x) for pair in pairs for x in pair):
            return Wrong("the pairs hold tensors, which keep every graph alive: `.item()`.", 3)
        if len(losses) != len(pairs):
            return Wrong(f"{BOTH}but not all of its parts are pairs.", 2)
        if len(losses) != count:
            return Wrong(f"expected {count} pairs, one per batch, got {len(losses)}.", 1)
        return None

    def first(self, got: list[float]) -> Wrong | None:
        """What is wrong with the losses of the first step, before any update."""
        model, batches, draw = self.problem(*CASES[0][:2])
        numbers = draw(batches[0]["input_ids"])
        with torch.no_grad():
            made = partial(self.losses, model, batches[0], numbers)
            want = [float(x) for x in made()]
            if same(got, want[::-1], CLOSE):
                return Wrong("the two losses are swapped: that of the masked words first.", 3)
            parts = ("masked words", self.unlike_words()), ("next sentences", self.unlike_next())
            for number, (what, wrong) in enumerate(parts):
                known = [(float(made(**how)[number]), message) for message, how in wrong.items()]
                told = compare(float(got[number]), want[number], known, tolerance=CLOSE,
                               what=f"the loss of the {what} in the first step")  # fmt: skip
                if not isinstance(told, Right):
                    return Wrong(told.message, 1 + number)
        return None

    def trained(self, losses: list, table: Tensor, case: tuple) -> Wrong | None:
        """What is wrong with the training, where the first step's losses are right."""
        want, weights = self.variant(*case)
        if same(losses, want, CLOSE) and same(table, weights, CLOSE):
            return None
        for message, how in self.mistakes().items():
            other, moved = self.variant(*case, **how)
            if same(losses, other, CLOSE) and same(table, moved, CLOSE):
                return Wrong(message, 3)
        steps = case[1]
        step = next((i for i, pair in enumerate(want) if not same(losses[i], pair, CLOSE)), steps)
        return Wrong(
            f"with {steps} batches, from step {step} on (counted from 0), the losses are not those "
            "of AdamW, with the rate of `mb.optim.linear` and gradients cut to length 1.", 2
        )  # fmt: skip

    @staticmethod
    def unlike_words() -> dict[str, dict[str, Any]]:
        """Message -> how the loss of the masked words goes wrong."""
        return {
            "the model reads the words that it is asked for: give it what `hide` leaves, not the "
            "ids of the batch.": {"see": "all"},
            "the model is asked at every position: give `mlm_loss` the labels that `hide` gives.":
                {"asked": "all"},
            "[CLS], [SEP] and padding are chosen, too: give `choose` the batch's `maskable`.":
                {"maskable": False},
            "[CLS] and [SEP] are chosen, too: give `choose` the batch's `maskable`.":
                {"maskable": "attention_mask"},
            "`mask_id` is ignored: give it to `hide`.": {"mask_id": CHAPTERS_MASK},
            "the states go straight to the table: `model.output.transform` comes between.":
                {"transform": False},
            "the model looks at the padding: give `read` the `attention_mask`.":
                {"attention_mask": None},
            "the model does not know which text is which: give `read` the `token_type_ids`.":
                {"token_type_ids": None},
            "the attention mask and the token types have changed places.": {"exchanged": True},
            "that is the sum of both losses: keep them apart.": {"both": True},
            "noise and fate have changed places: `noise, fate, drawn = draw(ids)`.":
                {"order": (1, 0, 2)},
        }  # fmt: skip

    @staticmethod
    def unlike_next() -> dict[str, dict[str, Any]]:
        """Message -> how the loss of the next sentences goes wrong."""
        return {
            "the pooler is missing: `model.next(model.pool(...))`.": {"pool": "none"},
            "the state of the last position is read: [CLS] is the first.": {"pool": "last"},
            "the mean of all states is read: take that of [CLS], the first.": {"pool": "mean"},
            "the transformed states are read: `model.pool` wants those of `read`.":
                {"pool": "transformed"},
            "the labels are turned.": {"turned": True},
            "that is a sum: take the mean over the batch.": {"reduction": "sum"},
        }  # fmt: skip

    @staticmethod
    def mistakes() -> dict[str, dict[str, Any]]:
        """Message -> how the training goes wrong."""
        return {
            "nothing is learned: `zero_grad()`, `backward()`, `step()`, in this order.":
                {"step": False},
            "the gradients add up from step to step: call `optimizer.zero_grad()`.": {"keep": True},
            "the rate is constant: `top * schedule(step)` for every group.": {"share": None},
            "there is no warm-up: `warmup=steps // 10`.": {"share": 100},
            "the rate rises and stays up: it falls after the warm-up.": {"fall": False},
            "the warm-up is too long: a tenth of the steps.": {"share": 2},
            "the schedule is one step late: the first step is step 0.": {"shift": 1},
            "the mean of both losses is learned: take their sum.": {"weights": (0.5, 0.5)},
            "the gradients are not cut, or too late: `clip_grad_norm_` stands between `backward()` "
            "and `step()`.": {"cut": None},
            "the gradient is cut number by number: its length should be at most 1.":
                {"cut": "values"},
            "each tensor is cut alone: the length is that of the whole gradient.": {"cut": "each"},
            "only the masked words are learned: `backward()` on the sum of both losses.":
                {"weights": (1, 0)},
            "only the next sentences are learned: `backward()` on the sum of both losses.":
                {"weights": (0, 1)},
            "the weights climb: the loss has the wrong sign.": {"weights": (-1, -1)},
            "`draw` is called once, so all batches have the same positions hidden: call it in each "
            "step.": {"once": True},
            "a new optimiser for every batch forgets its averages: make it once.": {"anew": True},
            "this is plain gradient descent: take `AdamW`.": {"kind": "SGD"},
            "nothing decays: take `AdamW`, with its usual weight decay.": {"weight_decay": 0.0},
            "biases do not decay with `mb.optim.adamw`: take `torch.optim.AdamW`, in which all do.":
                {"spared": True},
            "the optimiser has only the encoder's weights: give it `model.parameters()`.":
                {"only": "encoder"},
            "the rate is set after the update: set it before `step()`.": {"shift": -1},
            "short gradients become longer: cut only those that are longer than 1.":
                {"cut": "always"},
            "no gradient reaches the table of words from `mlm_loss`: give it the weight itself.":
                {"torn": "table"},
            "no gradient reaches the bias: give `mlm_loss` the bias itself.": {"torn": "bias"},
            "the rate ignores `top`.": {"peak": 1.0},
        }  # fmt: skip

    @classmethod
    def variant(cls, seed: int, steps: int, top: float, **how: Any) -> tuple[list, Tensor]:
        """(losses, table of words) after the loop, or after one with a mistake."""
        model, batches, draw = cls.problem(seed, steps)
        decay = {"weight_decay": how["weight_decay"]} if "weight_decay" in how else {}
        make = partial(getattr(torch.optim, how.get("kind", "AdamW")), lr=top, **decay)
        learned = [*getattr(model, how["only"]).parameters()] if "only" in how else [
            *model.parameters()]  # fmt: skip
        groups: list[dict] = [{"params": learned}]
        if how.get("spared"):  # the biases do not decay
            vectors = [p for p in learned if p.ndim < 2]
            groups = [{"params": [p for p in learned if p.ndim > 1]},
                      {"params": vectors, "weight_decay": 0.0}]  # fmt: skip
        optimizer, losses, numbers, top = make(groups), [], (), how.get("peak", top)
        ramp = {"share": how.get("share", 10)} if how.get("share", 10) else {}
        ramp |= {"fall": how["fall"]} if "fall" in how else {}
        for step, batch in enumerate(batches):
            optimizer = make(groups) if how.get("anew") else optimizer
            if not (how.get("once") and numbers and len(numbers[0]) == len(batch["input_ids"])):
                numbers = draw(batch["input_ids"])
            pair = cls.losses(model, batch, numbers, torn=how.get("torn"))
            at = step + how.get("shift", 0)
            for group in optimizer.param_groups:
                group["lr"] = rate_at(at, steps, top, **ramp) if ramp and at >= 0 else top
            if not how.get("keep"):
                optimizer.zero_grad()
            weighed = zip(how.get("weights", (1, 1)), pair, strict=True)
            torch.stack([w * x for w, x in weighed if w]).sum().backward()
            cls.cut(model, how.get("cut", "all"))
            if how.get("step", True):
                optimizer.step()
            losses.append([x.item() for x in pair])
        return losses, model.encoder.embeddings.word.weight.detach().clone()

    @staticmethod
    def cut(model: nn.Module, how: str | None) -> None:
        """Cut the gradient of a model to length 1, rightly or not."""
        if how == "values":
            nn.utils.clip_grad_value_(model.parameters(), 1.0)
        parts = {"all": [[*model.parameters()]], "each": model.parameters()}
        for part in parts.get(how or "", []):
            nn.utils.clip_grad_norm_(part, 1.0)
        if how == "always":
            grads = [p.grad for p in model.parameters() if p.grad is not None]
            torch._foreach_div_(grads, float(nn.utils.get_total_norm(grads)))

    @staticmethod
    def losses(model: Any, batch: Batch, numbers: tuple, **how: Any) -> tuple[Tensor, Tensor]:
        """The two losses of a batch, or what mistakes give."""
        ids, maskable = batch["input_ids"], batch["maskable"]
        other = {False: torch.ones_like(maskable), "attention_mask": batch["attention_mask"] > 0}
        maskable = other.get(how.get("maskable", True), maskable)
        noise, fate, drawn = (numbers[i] for i in how.get("order", (0, 1, 2)))
        chosen, mask_id = Choose.choose(maskable, noise), how.get("mask_id", MASK)
        seen, labels = Mask.hide((ids, chosen, fate, drawn, mask_id))
        labels = ids if how.get("asked") == "all" else labels
        given = [how.get(name, batch[name]) for name in ("attention_mask", "token_type_ids")]
        given = given[::-1] if how.get("exchanged") else given
        states = model.read(ids if how.get("see") == "all" else seen, *given)
        hidden = model.output.transform(states) if how.get("transform", True) else states
        table, bias = model.encoder.embeddings.word.weight, model.output.decoder.bias
        table = table.detach() if how.get("torn") == "table" else table
        bias = bias.detach() if how.get("torn") == "bias" else bias
        scores = hidden @ table.T + bias
        words = F.cross_entropy(scores.flatten(0, 1), labels.flatten())
        parts = {"last": states[:, -1], "mean": states.mean(1), "transformed": hidden[:, 0]}
        first = parts.get(how.get("pool", ""), states[:, 0])
        follows = model.next(first if how.get("pool") == "none" else model.pool(first))
        right = batch["next_sentence_label"]
        right = 1 - right if how.get("turned") else right
        pairs = F.cross_entropy(follows, right, reduction=how.get("reduction", "mean"))
        return (words + pairs if how.get("both") else words), pairs

    @staticmethod
    def problem(seed: int, steps: int) -> tuple[Any, list[Batch], Callable[[Tensor], tuple]]:
        """A small model in float64, batches of pairs of texts, and ``draw``.

        With an odd seed all gradients are long, with an even one many are about 1.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = Small().double()
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(2.0 if seed % 2 else QUIET)
        generator, batches = torch.Generator().manual_seed(seed), []
        for step in range(steps):
            rows = 3 if seed == 2 and step == steps - 1 else 4  # the last may be smaller
            ids = torch.randint(FIRST_WORD, V, (rows, LENGTH), generator=generator)
            kinds = torch.zeros_like(ids)
            for row, (middle, end) in enumerate(ENDS[:rows]):
                ids[row, 0], ids[row, middle], ids[row, end], ids[row, end + 1 :] = 2, 3, 3, 0
                kinds[row, middle + 1 : end + 1] = 1
            follows = torch.randint(0, 2, (rows,), generator=generator)
            batches.append({
                "input_ids": ids, "maskable": ids >= FIRST_WORD, "token_type_ids": kinds,
                "attention_mask": (ids != 0).long(), "next_sentence_label": follows,
            })  # fmt: skip

        def draw(ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            noise, fate = (torch.rand(ids.shape, generator=generator) for _ in range(2))
            return noise, fate, torch.randint(FIRST_WORD, V, ids.shape, generator=generator)

        return model, batches, draw
