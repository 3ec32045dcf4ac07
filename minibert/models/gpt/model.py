"""GPT: a Transformer that reads to the right, and says at each place what comes next.

Radford et al. (2018), "Improving Language Understanding by Generative Pre-Training", and with
``GPTConfig.gpt2`` Radford et al. (2019), "Language Models are Unsupervised Multitask Learners",
which moves the norms (section 2.3); with
``GPTConfig.llama``, a GPT of today. The heads of its fine-tuning stand in
`minibert.heads.last_token`. Its blocks are those of `minibert.models.transformer`; published
weights load by `minibert.models.gpt.files`.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Shaped
from torch import Tensor, nn

from minibert.models.base import Ids, Kind, Pretrained, Real, Where, check_vocab
from minibert.models.dropout import Dropout
from minibert.models.gpt.generation import Prompt, Written, generate
from minibert.models.outputs import Loss, ModelOutput
from minibert.models.softmax import linear_cross_entropy
from minibert.models.transformer import fast
from minibert.models.transformer.attention import Past, causal_mask
from minibert.models.transformer.model import Positions, Stack, TransformerConfig, initialise
from minibert.storage.checked import check_settings
from minibert.text import inputs
from minibert.text.batches import Batch
from minibert.text.inputs import IGNORE
from minibert.training.modes import evaluating

if TYPE_CHECKING:
    from typing import Self  # beartype, which the tests use, does not know it here

    from minibert.text.bpe import BPE


@dataclass
class GPTConfig(TransformerConfig):
    """A `TransformerConfig` with the numbers of the paper (section 4.1): 116,534,784 parameters.

    ``norm="pre"`` has the layout of GPT-2: norms before the sublayers, and one at the end.
    ``embedding_dropout``: on the embeddings, as ``dropout`` where it is None. ``tied``: the softmax
    shares the word vectors; with False it has a matrix of its own. ``pad_id``: of published
    classifiers, which find a text's end by it where no mask says it.
    """

    vocab_size: int = 40_478
    dim: int = 768
    layers: int = 12
    heads: int = 12
    _: KW_ONLY
    hidden: int = 3072
    attention_dropout: float = 0.1
    activation: str = "gelu_tanh"
    position: str = "learned"
    init_std: float | None = 0.02
    embedding_dropout: float | None = None
    tied: bool = True
    pad_id: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings(self, shares=("embedding_dropout",))

    @classmethod
    def gpt2(cls, **changes: Any) -> "Self":
        """GPT-2's smallest size, 124,439,808 parameters."""
        return cls(**{"vocab_size": 50_257, "norm": "pre", "max_length": 1024, **changes})

    @classmethod
    def llama(cls, **changes: Any) -> "Self":
        """Llama's form (Touvron et al. 2023, arXiv:2302.13971), in the size of SmolLM2-135M.

        134,515,008 parameters (Ben Allal et al. 2025, arXiv:2502.02737).
        """
        found: dict[str, Any] = {
            **{"vocab_size": 49_152, "dim": 576, "layers": 30, "heads": 9, "groups": 3},
            **{"hidden": 1536, "max_length": 8192, "dropout": 0.0, "attention_dropout": 0.0},
            **{"norm": "pre", "rms": True, "gated": True, "bias": False, "activation": "silu"},
            **{"position": "rotary", "rope_base": 100_000.0, "init_std": 1 / 24},
        }
        return cls(**found | changes)


@dataclass(repr=False)
class GPTOutput(ModelOutput):
    """A `ModelOutput` with ``past``: the (keys, values) of each layer, to go on from."""

    past: list[Past] | None = None


class Embeddings(nn.Module):
    """What a token is and where it stands: two vectors, added (equation 2).

    A token may also be of a kind, such as the speaker: that is a word too, whose vector is added.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.dim)
        self.position = Positions(config)
        rate = config.embedding_dropout
        self.dropout = Dropout(config.dropout if rate is None else rate)

    def forward(
        self,
        input_ids: Int[Tensor, "*batch length"],
        places: Int[Tensor, "... length"],
        kinds: Int[Tensor, "*batch length"] | None = None,
    ) -> Float[Tensor, "*batch length dim"]:
        x = self.word(input_ids) + self.position(places)
        return self.dropout(x if kinds is None else x + self.word(kinds))


class GPT(Pretrained):
    """Embeddings, a stack of blocks under a causal mask, and the embeddings again as softmax.

    ``tokenizer``: a `minibert.text.BPE`, saved with the model. The table of word vectors may have
    more rows than it has pieces: they are never drawn.
    """

    _files = "minibert.models.gpt.files"

    causal = True

    def __init__(self, config: GPTConfig, tokenizer: "BPE | None" = None) -> None:
        super().__init__()
        check_vocab(tokenizer, config.vocab_size, exact=False)
        self.config, self.tokenizer = config, tokenizer
        self.embeddings, self.stack = Embeddings(config), Stack(config)
        self.output = None if config.tied else nn.Linear(config.dim, config.vocab_size, bias=False)
        initialise(self, config.init_std)

    def layer_groups(self) -> list[list[nn.Module]]:
        """From the bottom to the top: embeddings, each block, the last norm (and the output)."""
        *blocks, last = self.stack.layer_groups()
        return [[self.embeddings], *blocks, last if self.output is None else [*last, self.output]]

    def forward(
        self,
        input_ids: Ids,
        attention_mask: Shaped[Tensor, "batch positions"] | None = None,
        past: list[Past] | None = None,
        output_attentions: bool = False,
        *,
        token_type_ids: Kind = None,
    ) -> GPTOutput:
        """Hidden states: the embeddings, then one state a layer.

        ``attention_mask``: padding, on either side, changes nothing, and what the output holds
        there means nothing. ``past``: of an earlier output; the ids are then those that follow, and
        the mask is for all positions. ``token_type_ids``: ids of words, whose vectors are added to
        those of the tokens, as in transformers' GPT; for example of the token that names who
        speaks. Raises ValueError for shapes that do not fit, for more than ``max_length`` tokens,
        and for ids that are not in the vocabulary.
        """
        before = 0 if past is None else past[0][0].shape[2]
        attention_mask = self.check(input_ids, attention_mask, before, token_type_ids)
        length = input_ids.shape[1]
        seen = causal_mask(length, before, input_ids.device, attention_mask)
        if attention_mask is None:
            seen = None if length == 1 else seen  # the last place sees all
            places = torch.arange(before, before + length, device=input_ids.device)
        else:
            places = (attention_mask.cumsum(1) - 1).clamp(min=0)[:, before:]  # (batch, length)
        x = self.embeddings(input_ids, places, token_type_ids)  # (batch, length, dim)
        told = {"places": places, "output_attentions": output_attentions}
        out, carried = self.stack(x, seen, past=past, **told)
        return GPTOutput(out.last_hidden_state, out.hidden_states, out.attentions, carried)

    @property
    def output_weight(self) -> Float[Tensor, "V dim"]:
        """The matrix of the softmax: the word vectors, or one of its own."""
        return self.embeddings.word.weight if self.output is None else self.output.weight

    def logits(self, hidden: Float[Tensor, "*shape dim"]) -> Float[Tensor, "*shape V"]:
        """States -> scores of the next token."""
        return hidden @ self.output_weight.T

    def states_at(
        self,
        input_ids: Ids,
        attention_mask: Real = None,
        token_type_ids: Kind = None,
        *,
        wanted: Where,
    ) -> Float[Tensor, "n dim"]:
        """``model(...).last_hidden_state[wanted]``; a CPU does not compute the rest."""
        attention_mask = self.check(input_ids, attention_mask, kinds=token_type_ids)
        inputs.check_wanted(wanted, attention_mask)
        if fast.suits(self, input_ids):
            return fast.states_at(self, input_ids, attention_mask, token_type_ids, wanted=wanted)
        out = self(input_ids, attention_mask, token_type_ids=token_type_ids)
        return out.last_hidden_state[wanted]

    def loss(self, batch: Batch) -> Loss:
        """(sum of cross-entropies in nats, number of targets).

        Each token but a row's first is predicted from those before it; with ``labels``
        (batch, length) only where they are not -100. Padding is no target.
        """
        text = batch["input_ids"], batch.get("attention_mask")
        self.check(*text)
        wanted, targets = next_tokens(batch)
        hidden = self.states_at(*text, batch.get("token_type_ids"), wanted=wanted)
        return linear_cross_entropy(hidden, self.output_weight, None, targets)

    def log_probs(self, ids: Sequence[int] | np.ndarray | Tensor) -> Float64[np.ndarray, " tokens"]:
        """log p of each token but the first; long texts, in windows that overlap by half."""
        most, (found, done) = self.config.max_length, ([], 1)
        text = torch.as_tensor(np.asarray(ids))[None].to(self.embeddings.word.weight.device)
        with evaluating(self):
            while done < text.shape[1]:
                start = 0 if done == 1 else done - most // 2
                window = text[:, start : start + most]
                hidden = self(window).last_hidden_state[0, done - start - 1 : -1]  # (new, dim)
                log_p = self.logits(hidden).double().log_softmax(-1)
                targets = window[0, done - start :]
                found.append(log_p.gather(1, targets[:, None])[:, 0].cpu())
                done = start + window.shape[1]
        return torch.cat(found).numpy() if found else np.zeros(0)

    def generate(self, prompt: Prompt, steps: int = 50, **options: Any) -> Written:
        """Texts that begin with ``prompt``: see `minibert.models.gpt.generation.generate`."""
        return generate(self, prompt, steps, **options)

    def check(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        before: int = 0,
        kinds: Tensor | None = None,
    ) -> Int[Tensor, "batch positions"] | None:
        """Refuse input that does not fit, in one sentence; gives the mask back as whole numbers."""
        inputs.check_length(input_ids, before, self.config.max_length)
        inputs.check_segments(kinds, input_ids.shape, self.config.vocab_size)
        inputs.check_ids(input_ids, self.config.vocab_size)
        return inputs.as_mask(attention_mask, (input_ids.shape[0], before + input_ids.shape[1]))


def next_tokens(batch: Batch) -> tuple[Bool[Tensor, "batch length"], Int[Tensor, " n"]]:
    """Where a next token is predicted, and which, in order."""
    ids, mask = batch["input_ids"], batch.get("attention_mask")
    labels = inputs.of_batch(batch, "labels" if "labels" in batch else "input_ids")
    inputs.check_tensor(labels, "labels")
    if labels.shape != ids.shape:
        raise ValueError(f"expected labels {tuple(ids.shape)}, got {tuple(labels.shape)}")
    order = None
    if mask is not None:  # padding predicts nothing
        order = inputs.reading_order(mask)
        labels = labels.masked_fill(mask == 0, IGNORE).gather(1, order)
    wanted = torch.zeros_like(ids, dtype=torch.bool)
    wanted[:, :-1] = labels[:, 1:] != IGNORE
    targets = labels[:, 1:][wanted[:, :-1]]
    return wanted if order is None else wanted.gather(1, order.argsort(1)), targets
