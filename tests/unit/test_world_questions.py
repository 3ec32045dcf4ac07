"""Questions and answers: what is asked, and where the passage has the answer."""

from math import exp, isclose

import pytest

import minibert as mb
from minibert.world import exact
from minibert.world.kinds import KINDS
from minibert.world.kinds.questions import TOPICS


@pytest.fixture(scope="module")
def documents():
    return mb.world.generate(tokens=20_000, seed=3, kinds=["questions"]).documents


def passage(document):
    first, end = document.notes["passage"]
    return [sentence.text for sentence in document.sentences[first:end]]


def test_answers_stand_in_the_sentence_that_the_notes_name(documents):
    answered = 0
    for document in documents:
        sentences = passage(document)
        assert 3 <= len(sentences) <= 6
        for question, answer, where, length in document.notes["questions"]:
            assert length == len(sentences)
            assert question.endswith("?") and question[1:] in document.text
            assert (answer is None) == (where is None)
            if answer is not None:
                answered += 1
                assert answer in sentences[where], (answer, sentences[where])
    assert answered > 100


def test_names_asked_for_without_an_answer_are_not_in_the_passage(documents):
    world = mb.world.world()
    untold = 0
    for document in documents:
        told = "\n".join(passage(document))
        for question, answer, *_ in document.notes["questions"]:
            if answer is None and question.startswith("Who is the mayor of "):
                town = question.removeprefix("Who is the mayor of ").rstrip("?")
                mayor = next(t.mayor for t in world.towns if str(t) == town)
                assert str(mayor) not in told
                untold += 1
    assert untold > 0


def test_some_questions_have_no_answer(documents):
    answers = [q[1] for document in documents for q in document.notes["questions"]]
    share = sum(answer is None for answer in answers) / len(answers)
    assert 0.12 < share < 0.3


def test_all_topics_are_asked_about(documents):
    assert {document.topic for document in documents} == set(TOPICS)


def test_passages_state_facts_of_the_world(documents):
    world = mb.world.world()
    facts = {(a, r): b for a, r, b in world.facts}
    seen = 0
    for document in documents:
        for question, answer, *_ in document.notes["questions"]:
            if answer and question.startswith("Where was ") and question.endswith(" born?"):
                name = question.removeprefix("Where was ").removesuffix(" born?")
                assert facts[name, "born in"] == answer
                seen += 1
        for subject, relation, value in document.facts:
            assert facts[subject, relation] == value
            assert value in document.text or relation == "birth year"
    assert seen > 3


def test_no_question_is_asked_twice(documents):
    for document in documents:
        asked = [question for question, *_ in document.notes["questions"]]
        assert len(set(asked)) == len(asked)


def test_every_document_has_one_derivation(documents):
    world = mb.world.world()
    for document in documents[:25]:
        found = exact.derivations(KINDS["questions"], world, document.lines())
        assert len(found) == 1 and isclose(found[0], document.log_prob, abs_tol=1e-9)
        assert exp(document.log_prob) < 1


def test_tokens_and_gold_agree(documents):
    for document in documents:
        for sentence in document.sentences:
            assert mb.text.tokenise(sentence.text) == sentence.tokens
            assert sentence.head.count(-1) == 1
            assert len(sentence.pos) == len(sentence.relation) == len(sentence.tokens)


def test_first_sentences_are_those_of_no_other_kind(documents):
    others = mb.world.generate(tokens=20_000, kinds=["encyclopedia", "story"]).documents
    mine = {document.lines()[0] for document in documents}
    assert not mine & {document.lines()[0] for document in others}
