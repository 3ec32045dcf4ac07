"""Next-token heads: a language model alone, and one with a choice among sequences beside it."""

import torch
from torch import nn

from minibert.heads.head import Head, width_of
from minibert.heads.language import VocabularyOutput
from minibert.heads.last_token import LAMBDA, MultipleChoice
from minibert.models.awd_lstm.model import AWDLSTM
from minibert.models.bert.left_to_right import LeftToRight
from minibert.models.gpt import openai
from minibert.models.gpt.model import GPT, next_tokens
from minibert.models.softmax import linear_cross_entropy
from minibert.storage.hub import CONFIG, find_or_fetch
from minibert.storage.safe_files import read_json
from minibert.text.bpe import MERGES, VOCAB
from minibert.text.inputs import check_targets
from minibert.text.tokenizer_files import JSON, OTHERS

OPTIONAL = (VOCAB, MERGES, JSON, "vocab.txt", *OTHERS)  # of the hub's files


class CausalLM(Head):
    """Predict each token from those before it.

    encoder: a `minibert.GPT` or a forward `minibert.AWDLSTM`, whose own softmax is used (there is
    nothing new to train), or a `LeftToRight`, which gets the output of BERT's masked words. That
    shares the word vectors; with ``tied=False`` it has its own.

    Raises ValueError for an encoder that sees what it would have to predict.
    """

    per_token = True

    def __init__(self, encoder, tied=True):
        super().__init__(encoder, tied=tied)
        backward = getattr(encoder, "backward_reader", False)
        if not isinstance(encoder, GPT | AWDLSTM | LeftToRight) or backward:
            kind = f"a {'backward ' if backward else ''}{type(encoder).__name__}"
            raise ValueError(
                f"expected a model that reads from left to right, a GPT, an AWDLSTM or a "
                f"LeftToRight, got {kind}"
            )
        self.output = None
        if isinstance(encoder, LeftToRight):
            config, words = encoder.config, encoder.embeddings.word.weight
            table = words if tied else config.vocab_size
            self.output = VocabularyOutput(
                width_of(encoder), table, config.activation, config.norm_eps
            )

    @classmethod
    def from_pretrained(cls, source):
        """Read a language model: what `GPT`, `AWDLSTM` or, with its output, `LeftToRight` reads.

        Raises FileNotFoundError or ValueError.
        """
        path = find_or_fetch(source, OPTIONAL)
        config = read_json(path / CONFIG) if (path / CONFIG).is_file() else None
        fastai = config is None and not openai.is_here(path)
        if fastai or isinstance(config, dict) and "weight_dropout" in config:
            return cls(AWDLSTM.from_pretrained(path)).eval()
        return super().from_pretrained(path)

    def save_pretrained(self, folder):
        """Write the model's own folder, which `from_pretrained` reads, and Hugging Face's too."""
        if isinstance(self.encoder, AWDLSTM):
            self.encoder.save_pretrained(folder)
        else:
            super().save_pretrained(folder)

    def layer_groups(self):
        """The encoder's groups, with the output layer in the last one."""
        *below, top = self.encoder.layer_groups()
        return [*below, top if self.output is None else [*top, self.output]]

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        """(batch, length) ids -> logits (batch, length, V) of the token after each."""
        hidden = self.read(input_ids, attention_mask, token_type_ids).last_hidden_state
        if self.output is not None:
            return self.output(hidden)
        return nn.functional.linear(hidden, *self.softmax)

    def example(self, reader, text):
        """The tokens of a text, the last ones where there are too many."""
        ids = [*reader.ends[0], *reader.ids(text)]
        if not ids:
            raise ValueError(f"expected a text of at least one token, got {text!r:.80}")
        kept = ids if reader.max_length is None else ids[-reader.max_length :]
        reader.cut += len(kept) < len(ids)
        return {"input_ids": kept}

    def decided(self, example, output):
        """The likeliest token after the text, and the probabilities (V,) of all."""
        shares = output[-1, : len(self.columns)].softmax(-1)
        return self.columns[int(shares.argmax())], shares

    @property
    def columns(self):
        """The tokens of the vocabulary."""
        words = getattr(self.encoder, "tokenizer", None) or self.encoder.vocab
        return words.tokens

    @property
    def softmax(self):
        """The last layer's matrix (V, width) and its bias, (V,) or None; both are the encoder's."""
        decoder = getattr(self.encoder, "decoder", None)
        if decoder is None:
            return self.encoder.output_weight, None
        return decoder.weight, decoder.bias

    def loss(self, batch):
        """(sum of cross-entropies in nats, number of targets).

        A row's tokens but the first are targets; with ``labels`` (batch, length), the tokens
        themselves and not the next ones, only where they are not -100. Padding is no target. A
        batch of a stream (with ``targets``, see `AWDLSTM.batches`) is left to the model: it carries
        its state on, and in training adds its penalties, which rows with padding are spared.
        """
        if "targets" in batch:
            return self.encoder.loss(batch)
        wanted, targets = next_tokens(batch)
        hidden = self.states_at(batch, wanted)  # (n, width)
        if self.output is not None:
            return self.output.loss(hidden, targets)
        return linear_cross_entropy(hidden, *self.softmax, targets)


class DoubleHeads(MultipleChoice):
    """GPT's language model and its choice among sequences, both given and both trained.

    A `MultipleChoice`, and trained like it (Radford et al. 2018, equation 5); it also gives the
    language model's logits, keeps both losses apart (`losses`), and may be told where to read a
    sequence (``mc_token_ids``). In files it is transformers' ``GPT2DoubleHeadsModel`` or
    ``OpenAIGPTDoubleHeadsModel``.

    choices: how many sequences an example has. auxiliary: what the language model's loss counts
    beside the choice's in training. dropout: before the new layer.
    """

    per_token = False, False

    def __init__(self, encoder, choices=2, auxiliary=LAMBDA, dropout=0.1):
        super().__init__(encoder, choices, auxiliary, dropout)

    def forward(self, input_ids, attention_mask=None, mc_token_ids=None):
        """(examples * choices, length) ids -> (logits (examples, choices, length, V), of choices
        (examples, choices)).

        ``mc_token_ids``, as many numbers as rows: the position to judge each sequence by; its last
        token by default (transformers takes the last position, padding or not).
        """
        hidden = self.read(input_ids, attention_mask).last_hidden_state
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        judged = self.judged(batch | {"mc_token_ids": mc_token_ids})
        logits = self.encoder.logits(hidden).unflatten(0, (-1, self.sequences))
        return logits, self.judge(hidden[judged])

    def decided(self, example, output):
        """The likeliest choice as it stands in the text, and the probabilities of all."""
        return super().decided(example, output[1])

    def judged(self, batch):
        """True where ``mc_token_ids`` says, or at each row's last token: bool (rows, length)."""
        wanted = batch.get("mc_token_ids")
        if wanted is None:
            return super().judged(batch)
        rows, length = batch["input_ids"].shape
        check_targets(wanted, length, None, "mc_token_ids")
        if wanted.numel() != rows:
            raise ValueError(f"expected mc_token_ids for {rows} sequences, got {wanted.numel()}")
        return torch.arange(length, device=wanted.device) == wanted.reshape(rows, 1)

    def losses(self, batch):
        """Mean loss of the next tokens, mean loss of the choices, and the number of tokens.

        ``labels`` (examples,): the right choices; ``lm_labels`` (rows, length), the tokens, -100
        for none that counts: all but padding by default.
        """
        choices, examples, words, count = self.sums(batch)
        return words / max(count, 1), choices / examples, count
