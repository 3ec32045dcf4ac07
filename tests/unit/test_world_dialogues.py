"""Dialogues: an exact probability, turns that alternate, and personas true to the world."""

import re
from collections import Counter

import pytest

from minibert import world
from minibert.world import exact
from minibert.world.base import world as make_world
from minibert.world.generator import Mixture
from minibert.world.kinds.dialogue import SCENES
from tests.unit.test_world_reviews import assert_gold

SHILLING = 12  # pence
WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()


@pytest.fixture(scope="module")
def corpus():
    return world.generate(tokens=150_000, seed=12, kinds=["dialogue"])


@pytest.fixture(scope="module")
def fixed():
    return make_world(0)


def scene(corpus, name):
    found = [document for document in corpus.documents if document.topic == f"dialogue.{name}"]
    assert len(found) > 20
    return found


def spoken(document):
    """(speaker, sentence without the speaker's name) for every sentence of every turn."""
    lines = document.lines()
    for speaker, start, end in document.notes["turns"]:
        yield speaker, lines[start].removeprefix(f"{speaker}: ")
        for line in lines[start + 1 : end]:
            yield speaker, line


def value(word):
    """The number that a word or its digits stand for."""
    return int(word) if word.isdigit() else WORDS.index(word.lower())


def test_each_dialogue_has_one_derivation_with_its_probability(corpus, fixed):
    for document in corpus.documents[:40]:
        found = exact.derivations(Mixture(["dialogue"]), fixed, document.lines())
        assert found == [pytest.approx(document.log_prob, abs=1e-9)], document.text


def test_gold_is_a_tree_and_tokens_round_trip(corpus):
    assert_gold(corpus.documents[:300])


def test_every_scene_is_played(corpus):
    assert len({document.topic for document in corpus.documents}) == len(SCENES)


def test_turns_alternate_and_cover_the_dialogue(corpus):
    for document in corpus.documents:
        lines, turns = document.lines(), document.notes["turns"]
        assert turns[0][1] == 1 and turns[-1][2] == len(lines)
        for (one, _, end), (two, start, _) in zip(turns, turns[1:], strict=False):
            assert one != two and end == start
        begun = {start for _, start, _ in turns}
        for at, line in enumerate(lines[1:], 1):
            assert bool(re.match(r"\w+: [A-Z\d]", line)) == (at in begun), line
        assert {speaker for speaker, *_ in turns} == set(document.notes["personas"])


def test_facts_in_dialogues_are_true(corpus, fixed):
    known = set(fixed.facts)
    stated = [fact for document in corpus.documents for fact in document.facts]
    assert len(stated) > 2000
    assert set(stated) <= known


SAYS = {  # what somebody says about themselves, and the relation that it states
    r"I (?:live in|come from) ([\w ]+)\.": "lives in",
    r"(?:I am an?|I work as an?) (\w+)\.": "trade",
    r"No, I was born in ([\w ]+)\.": "born in",
    r"Yes, I have an? \w+ called (\w+)\.": "pet",
    r"I (?:like|love) (\w+ing)\.": "hobby",
    r"I could eat ([\w ]+) every day\.": "food",
}


def test_personas_say_what_the_world_knows(corpus, fixed):
    known = set(fixed.facts)
    full = {person.forms["first"].text: str(person) for person in fixed.people}
    checked = Counter()
    for document in scene(corpus, "meeting"):
        for speaker, line in spoken(document):
            for pattern, relation in SAYS.items():
                if found := re.fullmatch(pattern, line):
                    assert (full[speaker], relation, found[1]) in known, line
                    checked[relation] += 1
    assert min(checked[relation] for relation in SAYS.values()) > 5, checked


def test_persona_sentences_are_true(corpus, fixed):
    known = set(fixed.facts)
    lived = Counter()
    for document in corpus.documents:
        for name, lines in document.notes["personas"].items():
            if not lines:
                continue
            person = re.fullmatch(r"My name is (.+)\.", lines[0])[1]
            assert person.split()[0] == name
            town = re.fullmatch(r"I live in (.+)\.", lines[1])[1]
            assert (person, "lives in", town) in known
            lived[town] += 1
    assert len(lived) > 20


def test_the_change_is_right(corpus):
    sums = Counter()
    for document in scene(corpus, "shop"):
        text = document.text
        total = value(re.search(r"(\w+) pence(?:, please)?\.", text)[1])
        paid = re.search(r"(\w+) shillings?", text)[1]
        paid = SHILLING * (1 if paid == "a" else value(paid))
        back = re.search(r"(\w+) pence back|(one) penny back", text)
        change = value(back[1] or back[2]) if back else 0
        assert paid - total == change < SHILLING, text
        sums[total] += 1
    assert len(sums) > 10


CORRECTIONS = {  # and which group is the subject of the fact, which its object
    r"No, (.+) is the capital of (.+)\.": ("capital", 2, 1),
    r"No, the (\w+) flows through (.+)\.": ("river", 2, 1),
    r"No, (.+) is in (.+)\.": ("country", 1, 2),
    r"No, (.+) wrote (.+)\.": ("author", 2, 1),
    r"No, (.+) made (.+)\.": ("director", 2, 1),
}


def test_corrections_are_true(corpus, fixed):
    known, checked = set(fixed.facts), Counter()
    for document in scene(corpus, "home"):
        for _, line in spoken(document):
            for pattern, (relation, subject, value) in CORRECTIONS.items():
                if found := re.fullmatch(pattern, line):
                    assert (found[subject], relation, found[value]) in known, line
                    checked[relation] += 1
    assert len(checked) >= 4 and checked.total() > 15, checked


def test_the_sums_of_the_homework_are_right(corpus):
    question = re.compile(r"How much is (\w+) (times|less) (\w+)\?")
    number = re.compile(rf"(?:[Ii]s it |It is )?(\d+|{'|'.join(WORDS)})(?:, I think)?[.?]", re.I)
    checked = 0
    for document in scene(corpus, "home"):
        lines = [line for _, line in spoken(document)]
        for at, line in enumerate(lines):
            if asked := question.fullmatch(line):
                one, other = value(asked[1]), value(asked[3])
                right = one * other if asked[2] == "times" else one - other
                said = next(filter(None, map(number.fullmatch, lines[at + 1 : at + 3])))
                assert value(said[1]) == right, document.text
                checked += 1
    assert checked > 20


def test_what_was_agreed_comes_up_again(corpus):
    for document in scene(corpus, "plans"):
        recap = document.lines()[document.notes["turns"][-2][2] - 1]
        day, hour, place = re.search(r"on (\w+),? at (\w+), at the (.+)\.$", recap).groups()
        before = document.text.replace(recap, "")
        assert day in before and f"at the {place}" in before.lower()
        assert re.search(rf"\bat {hour}\b", before, re.IGNORECASE)
