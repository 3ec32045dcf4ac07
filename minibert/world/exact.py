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

from math import log

from minibert.world.document import Document
from minibert.world.words import Filler
from minibert.world.writer import Writer


class _Mismatch(Exception):
    """The text written so far is not how the wanted document begins."""


class _Replay(Writer):
    """Follows a script of indices instead of drawing, then takes the first option at each choice.

    The other options are left on ``stack`` as scripts of their own. With ``wanted`` (the sentences
    of a document) it stops where the text departs from it.
    """

    def __init__(self, world, script, stack, wanted=None, prune=True):
        super().__init__(world, random=None)
        self.script, self.at, self.stack = list(script), 0, stack
        self.wanted = wanted
        self.left = None  # the sentences still to come, in small letters, for pruning
        if wanted is not None and prune:
            self.left = [line.lower() for line in wanted]

    def next(self, options):
        if self.at == len(self.script):
            if not options:
                raise _Mismatch
            self.stack.extend(self.script + [i] for i in reversed(options[1:]))
            self.script.append(options[0])
        self.at += 1
        return self.script[self.at - 1]

    def choose(self, choice):
        if len(choice.items) == 1:
            return 0
        i = self.next(self.possible(choice, range(len(choice.items))))
        self.log_prob += choice.logs[i]
        return i

    def choose_without(self, choice, places):
        left = [i for i in range(len(choice.items)) if i not in places]
        if not left:
            raise ValueError(f"nothing is left to choose among {len(choice.items)} items")
        i = self.next(self.possible(choice, left))
        rest = choice.total - sum(choice.weights[place] for place in places)
        self.log_prob += log(choice.weights[i]) - log(rest)
        return i

    def possible(self, choice, options):
        """The options that are named in the rest of the text; anything without a name is."""
        if self.left is None:
            return list(options)
        rest = self.rest()
        return [
            i
            for i in options
            if not isinstance(choice.items[i], Filler)
            or any(mark in rest for mark in choice.items[i].marks)
        ]

    def rest(self):
        return "\n".join(self.left[len(self.sentences) :])

    def pick_template(self, choice):
        if self.left is None or len(choice.items) == 1:
            return super().pick_template(choice)
        rest = self.sentence if self.sentence is not None else self.rest()
        options = [i for i, t in enumerate(choice.items) if _fits(t, rest)]
        i = self.next(options)
        self.log_prob += choice.logs[i]
        return choice.items[i]

    def pick_slot(self, slot, slots):
        choice = self.world.drawn[slot.cls]
        if self.left is None or self.sentence is None or len(choice.items) == 1:
            return super().pick_slot(slot, slots)
        without = {id(slots[name]) for name in slot.unlike}
        places = [i for i, item in enumerate(choice.items) if id(item) in without]
        options = [
            i
            for i, item in enumerate(choice.items)
            if i not in places and slot.form_of(item).text.lower() in self.sentence
        ]
        i = self.next(options)
        rest = choice.total - sum(choice.weights[place] for place in places)
        self.log_prob += log(choice.weights[i]) - log(rest) if places else choice.logs[i]
        return choice.items[i]

    def phrase(self, templates, **slots):
        phrase = super().phrase(templates, **slots)
        if self.left is not None and phrase.text.lower() not in self.rest():
            raise _Mismatch
        return phrase

    sentence = None  # while a sentence is being said: its wanted text in small letters

    def say(self, templates, **slots):
        k = len(self.sentences)
        if self.wanted is None:
            return super().say(templates, **slots)
        if k >= len(self.wanted):
            raise _Mismatch
        self.sentence = self.left and self.left[k]
        try:
            filled = super().say(templates, **slots)
        finally:
            self.sentence = None
        template, forms, _ = self.sentences[-1]
        if template.text(forms) != self.wanted[k]:
            raise _Mismatch
        return filled


def _fits(template, text):
    """Whether the fixed words of a template stand in the text in this order."""
    at = 0
    for _, part in template.parts:
        if isinstance(part, str):
            at = text.find(part.lower(), at)
            if at < 0:
                return False
            at += len(part)
    return True


def _walk(write, world, wanted, limit, prune=True):
    """All finished replays, depth first."""
    stack, runs = [[]], 0
    while stack:
        runs += 1
        if runs > limit:
            raise ValueError(f"more than {limit} replays; take a smaller grammar or a shorter text")
        writer = _Replay(world, stack.pop(), stack, wanted, prune)
        try:
            write(writer)
        except _Mismatch:
            continue
        if wanted is None or len(writer.sentences) == len(wanted):
            yield writer


def enumerate_texts(write, world, limit=1_000_000):
    """(text, log-probability) of every document that ``write(writer)`` can write."""
    for writer in _walk(write, world, None, limit):
        yield "\n".join(Document(writer).lines()), writer.log_prob


def derivations(write, world, lines, limit=1_000_000, prune=True):
    """The log-probability of every choice sequence with which ``write`` gives these sentences."""
    return [writer.log_prob for writer in _walk(write, world, list(lines), limit, prune)]
