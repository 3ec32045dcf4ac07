"""Stories and letters: exact choices, true relations, clear pronouns, every branch reached."""

from math import exp, fsum, isclose

import pytest

from minibert.text import tokenise
from minibert.world import exact, generator
from minibert.world.base import world
from minibert.world.kinds import KINDS
from minibert.world.kinds.letter import post_of
from minibert.world.kinds.story import KIN, stage_of, wrong_endings
from minibert.world.lexicon import LexiconError, load
from minibert.world.plots import Agree, Branch, Plot, load_plots


@pytest.fixture(scope="module")
def stories():
    return generator.generate(200_000, seed=1, kinds=["story"]).documents


@pytest.fixture(scope="module")
def letters():
    return generator.generate(120_000, seed=1, kinds=["letter"]).documents


def one_each(documents):
    """One document of each topic."""
    return list({document.topic: document for document in documents}.values())


@pytest.mark.parametrize("kind", ["story", "letter"])
def test_each_document_has_one_derivation(kind, request):
    documents = request.getfixturevalue("stories" if kind == "story" else "letters")
    for document in one_each(documents):
        found = exact.derivations(KINDS[kind], world(0), document.lines())
        assert len(found) == 1, document.text
        assert isclose(found[0], document.log_prob, rel_tol=1e-9), document.text


@pytest.mark.parametrize("kind", ["story", "letter"])
def test_gold_columns_are_trees_over_the_tokens_of_the_text(kind, request):
    documents = request.getfixturevalue("stories" if kind == "story" else "letters")
    for document in documents[:400]:
        for sentence in document.sentences:
            size = len(sentence.tokens)
            assert tokenise(sentence.text) == sentence.tokens
            for column in ("pos", "lemma", "head", "relation", "sense", "entity"):
                assert len(getattr(sentence, column)) == size, sentence.template
            assert [r for r, h in zip(sentence.relation, sentence.head, strict=True) if h < 0] == [
                "root"
            ]
            for at in range(size):  # every word hangs on the root, through at most size heads
                for _ in range(size):
                    at = sentence.head[at] if at >= 0 else at
                assert at == -1, sentence.template


def values_seen(documents):
    seen = {}
    for document in documents:
        for key, value in document.notes["branch"].items():
            seen.setdefault((document.topic, key), set()).add(value)
    return seen


@pytest.mark.parametrize("kind", ["story", "letter"])
def test_every_plot_and_branch_is_reached(kind, request):
    documents = request.getfixturevalue("stories" if kind == "story" else "letters")
    plots = (stage_of if kind == "story" else post_of)(world(0)).plots
    files = list(KINDS[kind].module.FOLDER.glob("*.toml"))
    assert len(plots) == len(files) - 1  # all but shared.toml
    seen = values_seen(documents)
    for plot in plots:
        assert any(document.topic == plot.name for document in documents)
        for step in plot.steps:
            if isinstance(step, Branch):
                assert seen[plot.name, step.key] == set(step.values), plot.name


def test_there_are_at_least_fourteen_stories_with_three_courses_of_events():
    branching = [
        plot
        for plot in stage_of(world(0)).plots
        if sum(1 for _ in plot.branches()) >= 3 and len(plot.steps) >= 8
    ]
    assert len(branching) >= 14


def used_forms(document, name):
    """The forms, in order, with which the slot ``name`` stands in the text."""
    return [
        slot.form
        for sentence in document.sentences
        for slot in sentence._template.slots
        if slot.name == name
    ]


def test_people_are_two_and_introduced_before_they_are_called_by_first_name_or_pronoun(stories):
    for document in stories:
        slots = document.sentences[-1].slots
        hero, friend = slots["h"], slots["f"]
        assert {hero.gender, friend.gender} == {"m", "f"}
        assert used_forms(document, "h")[0] == "full", document.text
        first_named = [
            "intro" if slot.name == "intro" else slot.form
            for sentence in document.sentences
            for slot in sentence._template.slots
            if slot.name in ("f", "intro")
        ]
        assert first_named[0] in ("intro", "full"), document.text


def test_relatives_are_what_the_story_calls_them(stories):
    told = 0
    for document in stories:
        slots = document.sentences[-1].slots
        if "intro" not in slots:
            continue
        hero, friend = slots["h"], slots["f"]
        words = slots["intro"].text.split()
        family = dict(
            zip(KIN, ((hero.spouse,), hero.siblings, hero.parents, hero.children), strict=True)
        )
        called = [kin for kin in KIN if friend.forms[kin].text == words[1]]
        if called:
            assert friend in family[called[0]], document.text
            told += 1
        else:
            assert words[1] == "neighbour" and friend.town is hero.town, document.text
    assert told > 100


def test_the_ending_fits_no_other_course_of_the_story(stories):
    for document in one_each(stories):
        lines, place = document.lines(), document.notes["ending"]
        assert place == len(lines) - 1
        wrong = wrong_endings(document, world(0))
        assert wrong, document.topic
        assert lines[place] not in wrong, document.text


def test_letters_go_to_whom_they_say(letters):
    people = {str(person): person for person in world(0).people}
    for document in letters:
        writer, reader = people[document.notes["writer"]], people[document.notes["reader"]]
        bond = document.notes["bond"]
        assert writer is not reader
        assert document.lines()[-1].endswith((writer.forms["first"].text, str(writer)))
        true = {
            "parent": reader in writer.parents,
            "child": reader in writer.children,
            "sibling": reader in writer.siblings,
            "spouse": reader is writer.spouse,
            "neighbour": reader.town is writer.town,
            "friend": reader.town is not writer.town,
            "master": reader.trade is writer.trade and reader.age > writer.age,
            "formal": document.topic != "mayor" or reader is writer.town.mayor,
        }
        assert true[bond], document.text
    assert {document.notes["bond"] for document in letters} == set(true)


def test_agreement_in_letters_crosses_attractors(letters):
    steps = [step for plot in post_of(world(0)).plots for step in plot.steps]
    assert sum(isinstance(step, Agree) for step in steps) >= 3
    assert any("np" in s.slots for d in letters if d.topic == "news" for s in d.sentences)


PLOT = '''
flow = """
open
end = home 3, road 1
more 50%
end.{end}
"""
[text]
open = "[nsubj the {x:pet}] *slept ."
more = "[nsubj somebody] *called/VERB/call ."
"end.home" = "[nsubj the {x}] was at *home/NOUN ."
"end.road" = "[nsubj the {x}] was on the *road ."
'''


def test_a_small_plot_sums_to_one(tmp_path):
    (tmp_path / "small.toml").write_text(PLOT, encoding="utf-8")
    (plot,) = load_plots(tmp_path, load())
    texts = list(exact.enumerate_texts(lambda w: plot.write(w, {}), world(0)))
    assert len({text for text, _ in texts}) == len(texts) == 8 * 2 * 2
    assert isclose(fsum(exp(log_prob) for _, log_prob in texts), 1.0, rel_tol=1e-12)


@pytest.mark.parametrize(
    "change, message",
    [
        (("end.{end}\n", "end.{end}\nlast\n"), "needs the group 'last'"),
        (("more 50%\n", ""), "never comes to the group 'more'"),
        (("more 50%", "more 50 %!"), "cannot read the step 'more 50 %!'"),
        (("flow =", "flaw ="), "unknown key 'flaw'"),
        (("on the *road", "on the *zzz"), "'zzz'"),
    ],
)
def test_a_mistake_in_a_plot_is_named(tmp_path, change, message):
    path = tmp_path / "small.toml"
    path.write_text(PLOT.replace(*change), encoding="utf-8")
    with pytest.raises(LexiconError, match="small.toml") as error:
        Plot(path, load())
    assert message in str(error.value)
