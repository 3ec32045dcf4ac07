"""Proofs by replay that the floor is exact: every choice shows in the text.

``enumerate_texts`` walks through all choice sequences of a small grammar; their probabilities must
sum to one and their texts must all differ. ``derivations`` finds every choice sequence that writes
one given document of the full grammar; there must be exactly one.
"""

from math import log

from minibert.world.document import Document
from minibert.world.writer import Writer


class _Open(Exception):
    """The script is used up at a choice; carries the indices still possible there."""

    def __init__(self, options):
        self.options = options


class _Mismatch(Exception):
    """The text written so far is not how the wanted document begins."""


class _Replay(Writer):
    """Follows a script of indices instead of drawing; compares with ``wanted`` when given."""

    def __init__(self, world, script, wanted=None):
        super().__init__(world, random=None)
        self.script, self.at, self.wanted = script, 0, wanted

    def next(self, options):
        if self.at == len(self.script):
            raise _Open(options)
        self.at += 1
        return self.script[self.at - 1]

    def choose(self, choice):
        if len(choice.items) == 1:
            return 0
        i = self.next(range(len(choice.items)))
        self.log_prob += choice.logs[i]
        return i

    def choose_without(self, choice, places):
        left = [i for i in range(len(choice.items)) if i not in places]
        if not left:
            raise ValueError(f"nothing is left to choose among {len(choice.items)} items")
        i = self.next(left)
        rest = choice.total - sum(choice.weights[place] for place in places)
        self.log_prob += log(choice.weights[i]) - log(rest)
        return i

    def pick_template(self, choice):
        """Only templates whose fixed words all stand in the wanted text are tried."""
        if self.wanted is None or len(choice.items) == 1:
            return super().pick_template(choice)
        possible = [
            i
            for i, template in enumerate(choice.items)
            if all(
                part.lower() in self.lowered for _, part in template.parts if isinstance(part, str)
            )
        ]
        i = self.next(possible)
        self.log_prob += choice.logs[i]
        return choice.items[i]

    def say(self, templates, **slots):
        filled = super().say(templates, **slots)
        if self.wanted is not None:
            k = len(self.sentences) - 1
            template, forms, _ = self.sentences[-1]
            if k >= len(self.wanted) or template.text(forms) != self.wanted[k]:
                raise _Mismatch
        return filled

    @property
    def lowered(self):
        return " ".join(self.wanted[len(self.sentences) :]).lower()


def _walk(write, world, wanted, limit):
    """All finished replays, depth first: (script, writer)."""
    stack, runs = [()], 0
    while stack:
        script = stack.pop()
        runs += 1
        if runs > limit:
            raise ValueError(f"more than {limit} replays; take a smaller grammar or a shorter text")
        writer = _Replay(world, script, wanted)
        try:
            write(writer)
        except _Open as choice:
            stack.extend(script + (i,) for i in reversed(choice.options))
        except _Mismatch:
            pass
        else:
            if wanted is None or len(writer.sentences) == len(wanted):
                yield script, writer


def enumerate_texts(write, world, limit=1_000_000):
    """(text, log-probability) of every document that ``write(writer)`` can write."""
    for _, writer in _walk(write, world, None, limit):
        yield "\n".join(Document(writer).lines()), writer.log_prob


def derivations(write, world, lines, limit=1_000_000):
    """The log-probability of every choice sequence with which ``write`` gives these sentences."""
    return [writer.log_prob for _, writer in _walk(write, world, list(lines), limit)]
