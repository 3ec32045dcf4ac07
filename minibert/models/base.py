"""What the models share: shapes of their input, files by name, a state from batch to batch."""

from collections.abc import Sized
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from jaxtyping import Bool, Int, Shaped
from torch import Tensor, nn

if TYPE_CHECKING:
    from typing import Self  # beartype, which the tests use, does not know it here

Ids = Int[Tensor, "batch length"]
Marks = Shaped[Tensor, "batch length"]  # an attention mask: 1 for a token, 0 for padding
Real = Marks | None
Kind = Int[Tensor, "batch length"] | None  # 0 for the first text, 1 for the second
Where = Bool[Tensor, "batch length"]


class Pretrained(nn.Module):
    """A model that the module ``_files``, in its own folder, reads and writes."""

    _files: ClassVar[str]  # that module, imported when it is first needed: it imports the model

    @classmethod
    def from_pretrained(cls, source: Path | str) -> "Self":
        """Read a model, in eval mode: a folder, a bundled or published name, or a hub id.

        ``load`` in the model's ``files``, such as `minibert.models.gpt.files`, says what it reads.
        Raises FileNotFoundError or ValueError.
        """
        return cast("Self", import_module(cls._files).load(source))

    def save_pretrained(self, folder: Path | str) -> None:
        """Write a folder that `from_pretrained` reads, in the layout of the published models.

        Raises ValueError for a model with something added to it by `minibert.transfer.add`.
        """
        check_nothing_added(self)
        import_module(self._files).save(self, folder)

    def _named(self) -> Any:
        """The vocabulary; raises ValueError without one."""
        if self.vocab is None:
            kind = type(self).__name__
            raise ValueError(f"this model has no vocabulary: give one, {kind}(config, vocab)")
        return self.vocab


def check_nothing_added(model: Any) -> None:
    """Refuse to save a model as if it were plain, while what was added to it stands in it."""
    added = getattr(model, "added", None)
    if added is not None and added.merged is None:
        told = "mb.transfer.save_added(model, folder) saves that, and remove or merge takes it off"
        raise ValueError(f"{added.method} was added to this model: {told}")


class Streaming:
    """A model that carries a state from batch to batch, which `minibert.fit` saves too."""

    state: Any = None

    def stream_state(self) -> Any:
        """The state carried between batches; None before the first."""
        return self.state

    def load_stream_state(self, state: Any) -> None:
        self.state = state


def check_vocab(words: Sized | None, vocab_size: int, exact: bool = True) -> None:
    """Refuse a vocabulary, or a tokenizer (``exact=False``), that the table has no room for."""
    if words is None or len(words) == vocab_size or (not exact and len(words) < vocab_size):
        return
    wanted = "a vocabulary of {} words" if exact else "at most {} pieces"
    raise ValueError(f"expected {wanted.format(f'vocab_size={vocab_size}')}, got {len(words)}")
