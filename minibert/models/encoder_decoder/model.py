"""An encoder and a decoder that were pre-trained apart: one reads a text, the other writes one.

Ramachandran, Liu & Le (2017), "Unsupervised Pretraining for Sequence to Sequence Learning",
arXiv:1611.02683, joined two language models so; Rothe, Narayan & Severyn (2020), "Leveraging
Pre-trained Checkpoints for Sequence Generation Tasks", arXiv:1907.12461, joined a BERT and a GPT-2.
Only the attention from one to the other is new. An encoder-decoder that learns everything from the
start is `minibert.models.transformer.model.Transformer`.
"""

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from minibert.models.base import Pretrained
from minibert.models.gpt.generation import generate
from minibert.models.gpt.model import GPT, GPTConfig, GPTOutput
from minibert.models.outputs import Loss
from minibert.models.softmax import linear_cross_entropy
from minibert.models.transformer.attention import (
    MultiHeadAttention,
    Past,
    causal_mask,
    padding_mask,
)
from minibert.models.transformer.model import Stack, initialise, norm_of
from minibert.text.batches import Batch
from minibert.text.framing import Example
from minibert.text.inputs import as_mask, of_batch
from minibert.training.modes import evaluating

Source = Int[Tensor, "batch read *letters"]  # an ELMo may read the letters of each word
Marks = Shaped[Tensor, "batch read"] | None
Kinds = Int[Tensor, "batch read"] | None
Written = Int[Tensor, "batch steps"]
Memory = Float[Tensor, "batch read width"]


class EncoderDecoder(Pretrained):
    """A pre-trained encoder, and a pre-trained `minibert.GPT` that looks at what it has read.

    encoder: a `minibert.BERT`, or any model that gives a `ModelOutput`. width: of its last hidden
    states; by default its ``config.dim``, which is that of every model but an ELMo. The blocks of
    ``decoder`` itself get a second attention (see `cross_attention`), whose result is 0 at first:
    the joined model begins with what the GPT would write alone, whatever the encoder reads. The GPT
    used by itself stays as it was.

    A batch has ``input_ids``, ``attention_mask`` and perhaps ``token_type_ids`` (batch, read) for
    the encoder; ``decoder_ids`` (batch, steps), a start token and what was written after it; and
    ``labels`` (batch, steps), the tokens that come next, -100 for none: see `examples`.

    Raises ValueError for a decoder that is no GPT, has prompts, or was joined before, and for two
    models of different dtypes.
    """

    _files = "minibert.models.encoder_decoder.files"

    encoder: Any  # each kind of model has more of its own

    def __init__(self, encoder: nn.Module, decoder: GPT, width: int | None = None) -> None:
        super().__init__()
        if not isinstance(decoder, GPT):
            raise ValueError(f"expected a GPT as the decoder, got a {type(decoder).__name__}")
        if any(hasattr(block, "cross") for block in decoder.stack.blocks):
            raise ValueError("this GPT was joined to an encoder before: read it from its folder")
        if encoder is decoder:
            raise ValueError("expected two models, got one twice: copy.deepcopy makes another")
        width = getattr(getattr(encoder, "config", None), "dim", None) if width is None else width
        if width is None:
            raise ValueError(f"expected width= of the last states of a {type(encoder).__name__}")
        if not isinstance(decoder.stack, Stack):
            raise ValueError("expected a GPT without prompts, which a joined one does not read")
        dtype = decoder.embeddings.word.weight.dtype
        if (other := next((p.dtype for p in encoder.parameters()), dtype)) != dtype:
            raise ValueError(f"expected two models of one dtype, got {other} and {dtype}")
        self.encoder, self.decoder, self.width = encoder, decoder, width
        taken = inspect.signature(encoder.forward).parameters
        self.taken = [name for name in ("attention_mask", "token_type_ids") if name in taken]
        for block in decoder.stack.blocks:
            new = cross_attention(decoder.config, width).to(decoder.embeddings.word.weight)
            new.train(block.training)
            block.cross, block.cross_norm = new["cross"], new["cross_norm"]

    @property
    def new_layers(self) -> nn.ModuleList:
        """What neither of the two had: of each block, "cross" and "cross_norm"."""
        names, blocks = ("cross", "cross_norm"), self.decoder.stack.blocks
        return nn.ModuleList(nn.ModuleDict({n: getattr(b, n) for n in names}) for b in blocks)

    def layer_groups(self) -> list[list[nn.Module]]:
        """From the bottom to the top: the encoder's, then the decoder's."""
        own = getattr(self.encoder, "encoder_groups", None)
        own = own or getattr(self.encoder, "layer_groups", None)
        return [*(own() if own else [[self.encoder]]), *self.decoder.layer_groups()]

    def encode(
        self, input_ids: Source, attention_mask: Marks = None, token_type_ids: Kinds = None
    ) -> Memory:
        """The encoder's last hidden states; ValueError where they are not ``width`` wide."""
        given = {"attention_mask": attention_mask, "token_type_ids": token_type_ids}
        out = self.encoder(input_ids, **{name: given[name] for name in self.taken})
        memory = out.last_hidden_state
        if memory.shape[-1] != self.width:
            got = f"got {memory.shape[-1]}: join it with width={memory.shape[-1]}"
            raise ValueError(f"expected an encoder with states {self.width} wide, {got}")
        return memory

    def decode(
        self,
        ids: Written,
        memory: Memory,
        attention_mask: Marks = None,
        past: list[Past] | None = None,
    ) -> GPTOutput:
        """The states of what was written so far (with ``past``, of the new ids only)."""
        before = 0 if past is None else past[0][0].shape[2]
        self.decoder.check(ids, None, before)
        marks = as_mask(attention_mask, memory.shape[:2])
        places = torch.arange(before, before + ids.shape[1], device=ids.device)
        out, carried = self.decoder.stack(
            self.decoder.embeddings(ids, places),  # (batch, steps, dim)
            causal_mask(ids.shape[1], before, ids.device),
            memory,
            None if marks is None else padding_mask(marks),
            past=past,
            places=places,
        )
        return GPTOutput(out.last_hidden_state, out.hidden_states, None, carried)

    def forward(
        self,
        input_ids: Source,
        decoder_ids: Written,
        attention_mask: Marks = None,
        token_type_ids: Kinds = None,
    ) -> Float[Tensor, "batch steps V"]:
        """Logits: those at step t are for the token after ``decoder_ids[:, t]``."""
        memory = self.encode(input_ids, attention_mask, token_type_ids)
        return self.decoder.logits(
            self.decode(decoder_ids, memory, attention_mask).last_hidden_state
        )

    def loss(self, batch: Batch) -> Loss:
        """(sum of cross-entropies in nats, number of ``labels``); what is read is not predicted."""
        marks = batch.get("attention_mask")
        memory = self.encode(batch["input_ids"], marks, batch.get("token_type_ids"))
        hidden = self.decode(of_batch(batch, "decoder_ids"), memory, marks).last_hidden_state
        return linear_cross_entropy(hidden, self.decoder.output_weight, None, of_batch(batch))

    def generate(
        self,
        input_ids: Source,
        steps: int = 50,
        temperature: float = 0.0,
        *,
        attention_mask: Marks = None,
        token_type_ids: Kinds = None,
        start: int | None = None,
        **options: Any,
    ) -> list[list[int]]:
        """What the decoder writes to each row, at most ``steps`` ids; its end of text is kept.

        temperature: 0 takes the likeliest token each time. start: the first of ``decoder_ids``, by
        default the end of text. options: those of `minibert.models.gpt.generation.generate`, such
        as ``top_p``, ``stop`` and ``seed``. The model is left as it was.
        """
        with evaluating(self):
            memory = self.encode(input_ids, attention_mask, token_type_ids)
        told = _Told(self, memory, attention_mask)
        prompts = [[self.end_id if start is None else start]] * len(memory)
        found: Any = generate(told, prompts, steps, temperature, **options)  # type: ignore[arg-type]
        return [row[1:] for row in found]

    @property
    def end_id(self) -> int:
        """The id that a text begins with and ends with: the decoder's end of text."""
        end = getattr(self.decoder.tokenizer, "end_id", None)
        if end is None:
            raise ValueError("expected a decoder whose tokenizer has an end of text, or start=")
        return end

    def examples(self, texts: Iterable[str], targets: Iterable[str]) -> list[Example]:
        """Texts and what is to be written to them, as examples for `minibert.text.PaddedBatches`.

        What is too long for one of the models loses its end. Raises ValueError for models without
        tokenizers.
        """
        encode, most = tokenizer_of(self.decoder).encode, self.decoder.config.max_length
        sources = [self.example(text) for text in several(texts)]
        written = [encode(text) for text in several(targets)]
        if len(sources) != len(written):
            raise ValueError(f"expected {len(sources)} targets, one a text, got {len(written)}")
        return [
            {**one, "decoder_ids": [self.end_id, *ids][:most], "labels": [*ids, self.end_id][:most]}
            for one, ids in zip(sources, written, strict=True)
        ]

    def write(self, texts: Iterable[str], steps: int = 50, **options: Any) -> list[str]:
        """The text that is written to each text; options: those of `generate`."""
        device, found = self.decoder.embeddings.word.weight.device, list[str]()
        for example in map(self.example, several(texts)):
            options |= {name: torch.tensor([ids], device=device) for name, ids in example.items()}
            (ids,) = self.generate(steps=steps, **options)
            ids = ids[:-1] if ids[-1:] == [self.end_id] else ids
            found.append(tokenizer_of(self.decoder).decode(ids))
        return found

    def example(self, text: str) -> Example:
        """A text as the encoder takes it: ``input_ids``, perhaps ``token_type_ids``."""
        tokenizer, most = tokenizer_of(self.encoder), self.encoder.config.max_length
        if getattr(tokenizer, "cls_id", None) is not None:
            return tokenizer.pair(text, max_length=most)
        return {"input_ids": tokenizer.encode(text)[:most]}


def cross_attention(config: GPTConfig, width: int) -> nn.ModuleDict:
    """What a block of the decoder gets: attention to states ``width`` wide, and its norm.

    A block adds what "cross" finds to its residual stream, after its attention to itself (Vaswani
    et al. 2017, section 3.1). The output layer starts at zero, so at first nothing is added. Where
    norms stand after the sums, the stream is normed already, and to norm it again would change it:
    there "cross_norm" does nothing.
    """
    shape = config.dim, config.heads, config.attention_dropout
    cross = MultiHeadAttention(*shape, groups=config.groups, bias=config.bias)
    for name in ("key", "value"):
        linear = nn.Linear(width, getattr(cross, name).out_features, config.bias)
        setattr(cross, name, linear)
    initialise(cross, config.init_std)
    nn.init.zeros_(cross.output.weight)
    norm = norm_of(config) if config.norm == "pre" else nn.Identity()
    return nn.ModuleDict({"cross": cross, "cross_norm": norm})


def several(texts: Iterable[str]) -> list[str]:
    """Texts as a list; a string alone is one of them."""
    return [texts] if isinstance(texts, str) else list(texts)


def tokenizer_of(model: Any) -> Any:
    """A model's tokenizer; ValueError for one that takes ids alone."""
    if (found := getattr(model, "tokenizer", None)) is None:
        raise ValueError(f"expected a {type(model).__name__} with a tokenizer: it takes ids alone")
    return found


class _Told(nn.Module):
    """The decoder with what was read, in the form of a GPT that goes on with a prompt."""

    def __init__(self, model: EncoderDecoder, memory: Memory, attention_mask: Marks) -> None:
        super().__init__()
        self.model, self.memory, self.marks = model, memory, attention_mask
        decoder = model.decoder
        self.config, self.tokenizer = decoder.config, decoder.tokenizer
        self.embeddings, self.logits = decoder.embeddings, decoder.logits

    def forward(
        self, ids: Written, attention_mask: Marks = None, past: list[Past] | None = None
    ) -> GPTOutput:
        return self.model.decode(ids, self.memory, self.marks, past)
