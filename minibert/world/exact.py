"""Proofs by replay that the floor is exact: every choice shows in the text.

``enumerate_texts`` walks through all choice sequences of a small grammar; their probabilities must
sum to one and their texts must all differ. ``derivations`` finds every choice sequence that writes
one given document of the full grammar; there must be exactly one, with the document's probability.

To be quick, ``derivations`` leaves out an option that cannot lead to the text: a template whose
words do not stand in the sentence, a word drawn into a sentence that it is not in, a person or
thing drawn for later that is named nowhere in what is left of the text. The last of these takes it
that what is drawn is named sooner or later. Where a kind breaks that, the true choice sequence is
left out as well, and its document has no derivation: a test that asks for exactly one fails.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from math import log

from minibert.world.base import World
from minibert.world.document import Document
from minibert.world.words import Filler
from minibert.world.writer import Writer

WORD = re.compile(r"[\w-]+")


class _Mismatch(Exception):
    """The text written so far is not how the wanted document begins."""


class _Wanted:
    """The sentences of a document, and what is left of them after each, in small letters."""

    def __init__(self, lines, prune):
        self.lines, self.prune = lines, prune
        self.small = [line.lower() for line in lines]
        self.rest = ["\n".join(self.small[k:]) for k in range(len(lines) + 1)]
        self.words = [set(WORD.findall(rest)) for rest in self.rest]


class _Replay(Writer):
    """Follows a script of indices instead of drawing, then takes the first option at each choice.

    The other options are left on ``stack`` as scripts of their own. With ``wanted`` (a _Wanted) it
    stops where the text departs from it.
    """

    def __init__(self, world, script, stack, wanted=None):
        super().__init__(world, random=None)
        self.script, self.at, self.stack = list(script), 0, stack
        self.wanted, self.prune = wanted, wanted is not None and wanted.prune
        self.sentence = None  # while one is said: its wanted text in small letters

    def next(self, find_options, *given):
        """The next index of the script; past its end, the first of the options found."""
        if self.at == len(self.script):
            options = find_options(*given)
            if not options:
                raise _Mismatch
            self.stack.extend(self.script + [i] for i in reversed(options[1:]))
            self.script.append(options[0])
        self.at += 1
        return self.script[self.at - 1]

    def choose(self, choice):
        if len(choice.items) == 1:
            return 0
        i = self.next(self.possible, choice, range(len(choice.items)))
        self.log_prob += choice.logs[i]
        return i

    def choose_without(self, choice, places):
        left = [i for i in range(len(choice.items)) if i not in places]
        if not left:
            raise ValueError(f"nothing is left to choose among {len(choice.items)} items")
        i = self.next(self.possible, choice, left)
        rest = choice.total - sum(choice.weights[place] for place in places)
        self.log_prob += log(choice.weights[i]) - log(rest)
        return i

    def possible(self, choice, options):
        """The options that are named in the rest of the text; anything without a name is."""
        if not self.prune or not isinstance(choice.items[0], Filler):
            return list(options)
        words = self.wanted.words[self.done()]
        return [
            i
            for i in options
            if any(words.issuperset(WORD.findall(mark)) for mark in choice.items[i].marks)
        ]

    def done(self):
        return min(len(self.sentences), len(self.wanted.lines))

    def pick_template(self, choice):
        if not self.prune or len(choice.items) == 1:
            return super().pick_template(choice)
        i = self.next(self.fitting, choice.items)
        self.log_prob += choice.logs[i]
        return choice.items[i]

    def fitting(self, templates):
        """The templates that can be the wanted sentence, or a phrase in the text that is left."""
        if self.sentence is not None:
            fits = [_pattern(t).fullmatch(self.sentence) for t in templates]
        else:
            rest = self.wanted.rest[self.done()]
            fits = [_pattern(t).search(rest) for t in templates]
        return [i for i, found in enumerate(fits) if found]

    def pick_slot(self, slot, slots):
        choice = self.world.drawn[slot.cls]
        if not self.prune or self.sentence is None or len(choice.items) == 1:
            return super().pick_slot(slot, slots)
        without = {id(slots[name]) for name in slot.unlike}
        places = [i for i, item in enumerate(choice.items) if id(item) in without]
        i = self.next(self.named, choice.items, slot, places)
        rest = choice.total - sum(choice.weights[place] for place in places)
        self.log_prob += log(choice.weights[i]) - log(rest) if places else choice.logs[i]
        return choice.items[i]

    def named(self, items, slot, places):
        """The items whose form for this slot stands in the wanted sentence."""
        return [
            i
            for i, item in enumerate(items)
            if i not in places and slot.form_of(item).text.lower() in self.sentence
        ]

    def phrase(self, templates, **slots):
        phrase = super().phrase(templates, **slots)
        if self.prune and phrase.text.lower() not in self.wanted.rest[self.done()]:
            raise _Mismatch
        return phrase

    def say(self, templates, **slots):
        k = len(self.sentences)
        if self.wanted is None:
            return super().say(templates, **slots)
        if k >= len(self.wanted.lines):
            raise _Mismatch
        self.sentence = self.wanted.small[k]
        try:
            filled = super().say(templates, **slots)
        finally:
            self.sentence = None
        template, forms, _ = self.sentences[-1]
        if template.text(forms) != self.wanted.lines[k]:
            raise _Mismatch
        return filled


@cache
def _pattern(template):
    """A template as a regular expression over small letters; a slot may be anything."""
    pieces = []
    for before, part in template.parts:
        text = re.escape(part.lower()) if isinstance(part, str) else ".+"
        pieces.append(re.escape(before) + text)
    return re.compile("".join(pieces))


def _walk(write, world, wanted, limit):
    """All finished replays, depth first."""
    stack, runs = [[]], 0
    while stack:
        runs += 1
        if runs > limit:
            raise ValueError(f"more than {limit} replays; take a smaller grammar or a shorter text")
        writer = _Replay(world, stack.pop(), stack, wanted)
        try:
            write(writer)
        except _Mismatch:
            continue
        if wanted is None or len(writer.sentences) == len(wanted.lines):
            yield writer


def enumerate_texts(
    write: Callable[[Writer], object], world: World, limit: int = 1_000_000
) -> Iterator[tuple[str, float]]:
    """(text, log-probability) of every document that ``write(writer)`` can write."""
    for writer in _walk(write, world, None, limit):
        yield "\n".join(Document(writer).lines()), writer.log_prob


def derivations(
    write: Callable[[Writer], object],
    world: World,
    lines: Iterable[str],
    limit: int = 1_000_000,
    *,
    prune: bool = True,
) -> list[float]:
    """The log-probability of every choice sequence with which ``write`` gives these sentences."""
    wanted = _Wanted(list(lines), prune)
    return [writer.log_prob for writer in _walk(write, world, wanted, limit)]
