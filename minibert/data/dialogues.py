"""Dialogues of two speakers who each have a persona, a few sentences about themselves.

Zhang et al. (2018), "Personalizing Dialogue Agents", arXiv:1801.07243; the dialogues that can be
loaded are from Synthetic-Persona-Chat (Jandaghi et al. 2023, arXiv:2312.10007).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from minibert.data.corpora import split_groups
from minibert.world.document import Document

Turn = tuple[int, str]  # (speaker, text)


@dataclass(frozen=True)
class Exchange:
    """A reply, and what its speaker knows.

    ``persona``: sentences about who replies; ``history``: all turns before, speaker 1 being who
    replies and speaker 2 the other; ``others``: wrong replies to choose from.
    """

    persona: tuple[str, ...]
    history: tuple[Turn, ...]
    reply: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialogue:
    """``personas``: the sentences of speaker 1 and those of speaker 2; ``turns``: what they say.

    Raises ValueError for other speakers.
    """

    personas: tuple[tuple[str, ...], tuple[str, ...]]
    turns: tuple[Turn, ...]

    def __post_init__(self) -> None:
        speakers = sorted({who for who, _ in self.turns}, key=str)
        if len(self.personas) != 2 or not {*speakers} <= {1, 2}:
            got = f"{len(self.personas)} personas and the speakers {speakers!r:.60}"
            raise ValueError(f"expected two personas, and turns of speakers 1 and 2, got {got}")

    def exchanges(self) -> list[Exchange]:
        """Each turn but the first as a reply to those before it."""
        found = []
        for place, (speaker, text) in enumerate(self.turns[1:], 1):
            before = tuple((1 if who == speaker else 2, said) for who, said in self.turns[:place])
            found.append(Exchange(self.personas[speaker - 1], before, text))
        return found


@dataclass(repr=False)
class Dialogues:
    """A list of `Dialogue`; indexing and iterating give them."""

    dialogues: list[Dialogue]

    def __len__(self) -> int:
        return len(self.dialogues)

    def __getitem__(self, i: int) -> Dialogue:
        return self.dialogues[i]

    def split(self, *shares: float, seed: int = 0) -> list["Dialogues"]:
        """Parts of these shares, drawn by ``seed``: a dialogue is in one of them, with all turns.

        >>> train, test = dialogues.split(0.8, 0.2)  # doctest: +SKIP
        >>> test = test.without(train)  # doctest: +SKIP
        """
        parts = split_groups([*range(len(self))], shares, seed)
        return [Dialogues([self.dialogues[i] for i in part]) for part in parts]

    def without(self, other: "Dialogues") -> "Dialogues":
        """The dialogues of which no persona is among those of ``other``."""
        known = {
            persona for dialogue in other.dialogues for persona in dialogue.personas if persona
        }
        return Dialogues([one for one in self.dialogues if known.isdisjoint(one.personas)])

    def exchanges(self, candidates: int = 1, seed: int = 0) -> list[Exchange]:
        """All replies, each among ``candidates``: the right one, and others drawn by ``seed``.

        Those are turns of other dialogues, all different, and nothing that is said in the reply's
        own dialogue. Raises ValueError where there are too few.
        """
        pool = [text for dialogue in self.dialogues for _, text in dialogue.turns]
        different, rng, found = len({*pool}), np.random.default_rng(seed), list[Exchange]()
        for dialogue in self.dialogues:
            own = {text for _, text in dialogue.turns}
            most = 1 + different - len(own)
            if not 1 <= candidates <= most:
                told = f"from 1 candidate to {most}, the reply and all turns of other dialogues"
                raise ValueError(f"expected {told}, got candidates={candidates}")
            for one in dialogue.exchanges():
                found.append(replace(one, others=_drawn(pool, own, candidates - 1, rng)))
        return found

    def __repr__(self) -> str:
        turns = sum(len(dialogue.turns) for dialogue in self.dialogues)
        return f"Dialogues({len(self):,} dialogues, {turns:,} turns)"


def of_documents(documents: Iterable[Document]) -> Dialogues:
    """The dialogues among the world's documents, without the names in front of the turns."""
    found = []
    for document in documents:
        personas, lines = document.notes.get("personas", {}), document.lines()
        names = [*personas]
        if len(names) == 2:
            turns = tuple(
                (names.index(who) + 1, " ".join(lines[a:b]).removeprefix(f"{who}: "))
                for who, a, b in document.notes["turns"]
            )
            found.append(Dialogue((personas[names[0]], personas[names[1]]), turns))
    return Dialogues(found)


def _drawn(pool, own, count, rng):
    """So many different texts of the pool, as often as they stand in it, none of ``own``."""
    found = {}  # in the order in which they were drawn
    while len(found) < count:
        text = pool[int(rng.integers(len(pool)))]
        if text not in own:
            found[text] = None
    return tuple(found)
