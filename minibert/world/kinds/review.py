"""Reviews of films, books, inns, restaurants, bakeries, workshops and tools.

Sentiment is the label, and the text shows it. Every review ends in a verdict, and no verdict for
one number of stars is ever used for another; besides, more sentences about aspects speak for the
label than against it. ``notes`` of a document: ``label`` ("positive", "negative", or "mixed" for
three stars), ``stars``, ``verdict`` (which sentences state it, to be left out of a fair task) and
``aspects``: (sentence, aspect, "good" or "bad", how: "says", "denies" or "tells").
"""

from minibert.world.kinds.reviews.cast import cast
from minibert.world.kinds.reviews.items import Aspect, load, words
from minibert.world.template import Template
from minibert.world.words import Choice
from minibert.world.writer import Phrase, Slots, Writer, number

WEIGHT = 12

# Planted strengths, in percent unless said otherwise.
STARS = {5: 26, 4: 20, 3: 10, 2: 20, 1: 24}
AGAINST = {5: 17, 4: 42, 2: 42, 1: 17}  # a sentence on the other side, where one may stand
NEGATED = 20  # polarity words that are denied: "not warm", "never dull"
EXTREME = {5: 55, 4: 12, 3: 10, 2: 12, 1: 55}  # "superb", not "good"; never against the label
CONTRAST, PAIR = 22, 12  # a sentence joins two clauses: one on either side, or both on one
TELLING = 35  # a clause tells what happened ("the lamp went out") instead of judging
TELLING_JOINED = 15  # the same inside a sentence of two clauses
TWO_WORDS = 10  # "clean and warm"
ONE_WORD = {"price", "weight"}  # whose words all say much the same
COMPANY, KIN_SPEAKS, SCENE, BLAME = 45, 30, 60, 60
HEADLINE, LAST_LINE = 20, 35  # the stars as a first or a last line
LEAST, MORE = 3, 65  # sentences about aspects: at least so many; then the chance of one more

ITEMS, TEMPLATES = load()
RATING = Choice(list(STARS), list(STARS.values()))
STAR_WORDS = {5: "five", 4: "four", 3: "three", 2: "two", 1: "one"}
LABELS = {5: "positive", 4: "positive", 3: "mixed", 2: "negative", 1: "negative"}
SIDE = {"positive": "good", "negative": "bad", "mixed": None}
OTHER = {"good": "bad", "bad": "good"}
SIDES = Choice(["good", "bad"])


def write(w: Writer) -> None:
    Review(w).write()


def slots_said(sentences: list[tuple[Template, list, Slots]]) -> dict[str, bool]:
    """The names of all slots of sentences and of the phrases in them, once each."""
    said: dict[str, bool] = {}
    waiting = [(template, forms) for template, forms, _ in sentences]
    while waiting:
        template, forms = waiting.pop()
        said |= {slot.name: True for slot in template.slots}
        waiting += [(form.template, form.filled) for form in forms if isinstance(form, Phrase)]
    return said


class Review:
    """One review while it is written: what has been said, and what must still be said."""

    def __init__(self, w: Writer) -> None:
        self.w, self.words, self.cast = w, words(w.lexicon), cast(w.world)
        self.item = w.pick(ITEMS, [item for item in ITEMS if not self.cast.can(item)])
        self.stars = w.pick(RATING)
        self.label = LABELS[self.stars]
        self.side = SIDE[self.label]
        self.verdicts: list[int] = []
        self.aspects: list[tuple[int, str, str, str]] = []
        self.count = {"good": 0, "bad": 0}  # sentences about aspects, by side
        self.last: str | None = None  # the side of the sentence before
        self.blamed = self.turned = False

    def write(self) -> None:
        w = self.w
        headline = w.chance(HEADLINE)
        if headline:
            self.say_stars("head")
        self.open()
        said = 0
        while self.left and (said < LEAST or self.need > 0 or w.chance(MORE)):
            self.say_more()
            said += 1
        self.verdicts.append(len(w.sentences))
        w.say(f"verdict.{self.item.verdict}.{STAR_WORDS[self.stars]}", **self.slots)
        if not headline and w.chance(LAST_LINE):
            self.say_stars("line")
        w.topic = f"review.{self.item.name}"
        w.notes = {"label": self.label, "stars": self.stars}
        w.notes |= {"verdict": tuple(self.verdicts), "aspects": tuple(self.aspects)}
        said = slots_said(w.sentences)
        for slot, fact in self.cast.facts(self.item, self.slots).items():
            if slot in said:
                w.fact(*fact)

    @property
    def need(self) -> int:
        """How many sentences are missing to give one side its majority, or to balance both."""
        if not self.side:
            return abs(self.count["good"] - self.count["bad"])
        return self.count[OTHER[self.side]] - self.count[self.side] + 1

    def say_stars(self, where: str) -> None:
        self.verdicts.append(len(self.w.sentences))
        manner = "single_" if self.stars == 1 else ""
        self.w.say(f"star.{manner}{where}", n=number(self.stars))

    def open(self) -> None:
        """Who went where, and with whom."""
        w, item = self.w, self.item
        flavour, slots = self.cast.draw(w, item)
        self.company = w.chance(COMPANY)
        if self.company:
            slots["kin"] = w.pick(self.cast.companions)
        company = "with" if self.company else "alone"
        slots |= self.cast.people[not self.company]
        slots["was"] = self.cast.was[item.was]
        slots.setdefault("kind", w.lexicon.find(item.kind, form="plural"))
        slots = w.say(f"{item.name}.opening.{company}", **slots)
        if "maker" in slots:
            known = any(slot.name == "maker" for slot in w.sentences[-1][0].slots)
            slots |= self.cast.again(slots["maker"], known)
        told = self.company and "with" in item.scenes  # the scene brings in what the company had
        if told or w.chance(SCENE):
            slots = w.say(item.scene(company), **slots)
        self.slots = slots
        self.left = [a for a in item.aspects if a.fits(flavour, self.company)]

    def say_more(self) -> None:
        """One more sentence: what the company did, two clauses joined, or one clause."""
        w = self.w
        if self.company and self.side and self.last and w.chance(KIN_SPEAKS):
            self.company = False
            self.note("kin", self.side, "tells")
            w.say(f"{self.item.name}.kin.{self.side}", **self.slots)
            self.turn_to(self.side)
            return
        enough = len(self.left) - 2 >= max(self.need - 1, 0)
        if enough and not self.blamed and w.chance(CONTRAST):
            self.say_joined("contrast")
        elif enough and self.side and w.chance(PAIR):
            self.say_joined("pair")
        else:
            self.say_one()

    def say_joined(self, how: str) -> None:
        """Two clauses in a sentence; the second has the side that counts."""
        side = self.side or self.w.pick(SIDES)
        self.turned = how == "contrast"
        first = self.clause(OTHER[side] if how == "contrast" else side, TELLING_JOINED)
        second = self.clause(side, TELLING_JOINED)
        self.w.say(f"join.{how}", a=first, b=second)
        self.turn_to(side, balanced=how == "contrast" and not self.side)

    def say_one(self) -> None:
        """One clause, on either side, in a frame that fits what was said before."""
        w, side, frame = self.w, self.side, "plain"
        if not side:
            side = min(SIDES, key=self.count.__getitem__) if self.need else w.pick(SIDES)
        elif not self.blamed and len(self.left) - 1 > self.need and w.chance(AGAINST[self.stars]):
            side = OTHER[side]
        clean = not any(said == "bad" for _, _, said, _ in self.aspects)
        if self.side and side != self.side and self.last and (clean or side == "good"):
            self.blamed = w.chance(BLAME)
        if self.blamed and side != self.side:
            frame = "blame" if side == "bad" else "praise"
        elif self.last:
            frame = "same" if side == self.last else "plain" if self.turned else "turn"
        self.turned = frame == "turn"  # never "but" twice in a row
        w.say(f"frame.{frame}", c=self.clause(side, TELLING))
        self.turn_to(side)

    def clause(self, side: str, telling: int) -> Phrase:
        """A clause that speaks well or ill of an aspect not yet spoken of."""
        w = self.w
        aspect = w.pick(self.left)
        self.left = [other for other in self.left if other is not aspect]
        if w.chance(telling):
            self.note(aspect.name, side, "tells")
            tell = aspect.brief if telling == TELLING_JOINED else aspect.tell
            return w.phrase(tell[side], **self.slots)
        slots = self.slots | {"np": w.phrase(aspect.np, **self.slots)}
        denied = w.chance(NEGATED)
        self.note(aspect.name, side, "denies" if denied else "says")
        if not denied:
            return self.judge(aspect, side, slots)
        return self.judge_plainly(aspect, OTHER[side], "denied", side=side, slots=slots)

    def judge(self, aspect: Aspect, side: str, slots: Slots) -> Phrase:
        """The aspect is superb, or it is good."""
        w, extreme = self.w, self.words.choice(aspect, side, extreme=True)
        if extreme and side == (self.side or side) and w.chance(EXTREME[self.stars]):
            return w.phrase(f"clause.extreme.{side}", adj=w.pick(extreme), **slots)
        return self.judge_plainly(aspect, side, "clause", side=side, slots=slots)

    def judge_plainly(
        self, aspect: Aspect, words: str, manner: str, *, side: str, slots: Slots
    ) -> Phrase:
        """With one or two words that can be graded and denied; ``words`` is their own side."""
        w, choice = self.w, self.words.choice(aspect, words)
        adjective = w.pick(choice)
        if aspect.words not in ONE_WORD and w.chance(TWO_WORDS):
            more = w.pick(choice, [adjective])
            return w.phrase(f"{manner}.two", adj=adjective, adj2=more, **slots)
        group = f"{manner}.{side}{'.lively' if side == 'good' and aspect.lively else ''}"
        if manner == "clause":
            grade = "short" if "comparative" in adjective.forms else "long"
            group = f"clause.{grade}.{side}{'.peers' if aspect.compare else ''}"
        return w.phrase(group, adj=adjective, **slots)

    def note(self, aspect: str, side: str, how: str) -> None:
        self.aspects.append((len(self.w.sentences), aspect, side, how))

    def turn_to(self, side: str, balanced: bool = False) -> None:
        self.last = side
        self.count[side] += not balanced
