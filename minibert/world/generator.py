"""Corpora: documents of all kinds, drawn until there are enough tokens."""

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from minibert.world.base import world
from minibert.world.document import Corpus, Document
from minibert.world.kinds import KINDS
from minibert.world.words import Choice
from minibert.world.writer import Writer


def generate(
    tokens: int = 1_000_000,
    seed: int = 0,
    world_seed: int = 0,
    kinds: str | Iterable[str] | None = None,
    *,
    lexicon: str | Path | None = None,
) -> Corpus:
    """A Corpus of at least ``tokens`` tokens; the last document is finished.

    ``seed`` draws the documents, ``world_seed`` the world that they are about (its people, places
    and facts): train and test sets share a world and differ in ``seed``. ``kinds`` names the kinds
    of text to write (all of them by default), ``lexicon`` a folder that extends the lexicon.
    Raises ValueError for an unknown kind and for an entry of the lexicon that cannot be used.
    """
    documents = list(stream(tokens, seed, world_seed, kinds, lexicon=lexicon))
    return Corpus(documents, seed, world_seed)


def stream(
    tokens: int = 1_000_000,
    seed: int = 0,
    world_seed: int = 0,
    kinds: str | Iterable[str] | None = None,
    *,
    lexicon: str | Path | None = None,
) -> Iterator[Document]:
    """The documents of `generate`, one after another: for more text than the memory holds."""
    if tokens < 1:
        raise ValueError(f"tokens must be at least 1, got {tokens}")
    fixed, mixed = world(world_seed, lexicon), Mixture(kinds)
    random = Random(f"documents {seed}").random
    count = 0
    while count < tokens:
        writer = Writer(fixed, random)
        mixed(writer)
        document = Document(writer, writer.kind)
        count += document.n
        yield document


def sample(
    kind: str | None = None, seed: int = 0, world_seed: int = 0, lexicon: str | Path | None = None
) -> Document:
    """One Document; ``kind`` names the kind of text (any, by default)."""
    return generate(1, seed, world_seed, kind, lexicon=lexicon).documents[0]


class Mixture:
    """Writes a document of one of several kinds; the kind is a choice that the text shows."""

    def __init__(self, kinds: str | Iterable[str] | None = None) -> None:
        if isinstance(kinds, str):
            kinds = [kinds]
        names = list(KINDS) if kinds is None else list(dict.fromkeys(kinds))
        for name in names:
            if name not in KINDS:
                close = difflib.get_close_matches(name, KINDS, 1)
                hint = (
                    f"; did you mean {close[0]!r}?" if close else f"; expected {', '.join(KINDS)}"
                )
                raise ValueError(f"no kind of text is called {name!r}{hint}")
        if not names:
            raise ValueError("kinds must name at least one kind of text, got none")
        chosen = [KINDS[name] for name in names]
        self.choice = Choice(chosen, [kind.weight for kind in chosen])

    def __call__(self, w: Writer) -> None:
        w.pick(self.choice)(w)
