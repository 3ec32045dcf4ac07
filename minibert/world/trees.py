"""Constituent trees: what a sentence is made of, in the labels of the Penn Treebank.

Marcus, Santorini & Marcinkiewicz (1993), "Building a Large Annotated Corpus of English". The rules
that make them from the world's dependency trees stand in ``minibert.world.constituents``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

TOP = "TOP"  # what stands above the whole sentence
BRACKETS = {"(": "-LRB-", ")": "-RRB-"}


class Tree:
    """One constituent, or one word: ``label``, ``children``, and its tokens ``start:end``.

    A word has no children, and its universal part of speech is its label.
    """

    __slots__ = ("label", "start", "end", "children")

    def __init__(self, label: str, start: int, end: int, children: Sequence[Tree] = ()) -> None:
        self.label, self.start, self.end, self.children = label, start, end, tuple(children)

    @classmethod
    def of(cls, label: str, children: Sequence[Tree]) -> Tree:
        """A constituent over neighbours. Raises ValueError where a token is missing or double."""
        at = [child.start for child in children] + [children[-1].end] if children else []
        if not at or any(child.end != end for child, end in zip(children, at[1:], strict=True)):
            places = [(child.start, child.end) for child in children]
            raise ValueError(f"expected parts of {label} that are neighbours, got {places}")
        return cls(label, at[0], at[-1], children)

    def spans(self) -> list[tuple[int, int, str]]:
        """(start, end, label) of every constituent, the outermost first; words are none."""
        return [(tree.start, tree.end, tree.label) for tree in self if tree.children]

    def parents(self) -> list[tuple[str, str]]:
        """Of every token the labels of its parent and grandparent; ``TOP`` is above the root."""
        found: list[tuple[str, str]] = []

        def down(tree: Tree, parent: str, grandparent: str) -> None:
            if not tree.children:
                found.append((parent, grandparent))
            for child in tree.children:
                down(child, tree.label, parent)

        down(self, TOP, TOP)
        return found

    def bracketed(self, tokens: Sequence[str]) -> str:
        """The tree in one line, as treebanks write it: ``(S (NP (PRON He)) (VP (VERB ran)))``."""
        if not self.children:
            word = BRACKETS.get(tokens[self.start], tokens[self.start])
            return f"({self.label} {word})"
        inner = " ".join(child.bracketed(tokens) for child in self.children)
        return f"({self.label} {inner})"

    def __iter__(self) -> Iterator[Tree]:
        """All trees in this one, from the top down and from left to right."""
        yield self
        for child in self.children:
            yield from child

    def __repr__(self) -> str:
        return f"Tree({self.label}, {self.start}:{self.end}, {len(self.children)} parts)"
