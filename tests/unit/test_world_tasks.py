"""The tasks of the embedded world: balanced, disjoint, true to the text, and without shortcuts."""

import hashlib
import json
from collections import Counter

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from minibert.world import base
from minibert.world.tasksets import behaviour, entailment, task, tasks
from minibert.world.tasksets.base import SPLITS, Source
from minibert.world.tasksets.entailment import LABELS

CLASSES = {  # tasks with one label an example, all equally frequent
    "nli": LABELS,
    "paraphrase": ("different", "same"),
    "word_in_context": ("different", "same"),
    "probe.length": tuple(range(5)),
    "probe.tense": ("past", "present"),
    "probe.subject_number": ("one", "many"),
}
CHOICES = ("story_cloze", "coreference", "agreement", "persona")
QUESTIONS = ("qa", "qa_no_answer")
DIGESTS = {"nli": "652d4f3c335c4a10", "coreference": "3e8b665ae3f7cdaa"}


def score(made, text):
    """Accuracy on test of a linear model of words and word pairs, trained on train."""
    model = make_pipeline(CountVectorizer(ngram_range=(1, 2)), LinearSVC(C=0.1))
    model.fit([text(e) for e in made.train], [e.label for e in made.train])
    return model.score([text(e) for e in made.test], [e.label for e in made.test])


def chosen(made, text=lambda e, choice: choice):
    """Accuracy of a linear model that scores every choice by its words alone."""
    words = CountVectorizer().fit([text(e, c) for e in made.train for c in e.choices])
    pairs = [(text(e, c), i == e.label) for e in made.train for i, c in enumerate(e.choices)]
    model = LinearSVC(C=0.1)
    model.fit(words.transform([t for t, _ in pairs]), [right for _, right in pairs])
    right = 0
    for e in made.test:
        scores = model.decision_function(words.transform([text(e, c) for c in e.choices]))
        right += int(scores.argmax()) == e.label
    return right / len(made.test)


def digest(made):
    told = [
        [e.text, e.text_b, e.label, e.choices, e.span] for s in SPLITS for e in getattr(made, s)
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", list(DIGESTS))
def test_the_same_on_every_platform(name):
    """Known to change with the lexicon's names and words: then put the new digest here."""
    assert digest(task(name)) == DIGESTS[name]


def test_every_task_of_the_design_is_there():
    assert set(tasks()) >= {*CLASSES, *CHOICES, *QUESTIONS, "cloze_facts", "bias", "analogies"}
    assert len(tasks()) == len(set(tasks()))


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(ValueError, match="did you mean 'story_cloze'"):
        task("story_close")


@pytest.mark.parametrize("name", [*CLASSES, *CHOICES, *QUESTIONS, "cloze_facts"])
def test_no_text_stands_in_two_splits_and_none_twice(name):
    made = task(name)
    texts = [(e.text, e.text_b, e.choices) for split in SPLITS for e in getattr(made, split)]
    assert len(texts) > 700
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("name", list(CLASSES))
def test_labels_are_balanced(name):
    made = task(name)
    assert made.labels == CLASSES[name]
    for split in SPLITS:
        count = Counter(example.label for example in getattr(made, split))
        assert set(count) == set(made.labels)
        assert max(count.values()) - min(count.values()) <= 1


@pytest.mark.parametrize("name", CHOICES)
def test_the_right_choice_stands_at_every_place(name):
    made = task(name)
    for example in made.train + made.test:
        assert len(set(example.choices)) == len(example.choices) == len(made.labels)
    count = Counter(example.label for example in made.train)
    even = len(made.train) / len(made.labels)
    assert all(abs(count[label] - even) < 0.12 * len(made.train) for label in made.labels)


def test_a_hypothesis_alone_tells_nothing():
    made = task("nli")
    assert score(made, lambda e: e.text_b) < 0.40  # chance is 0.333
    assert score(made, lambda e: e.text) < 0.55
    both = score(made, lambda e: f"{e.text} | " + " ".join(f"b_{w}" for w in e.text_b.split()))
    assert both < 0.60


def judged(kinds, one, other):
    """The label of two sentences (whether it is so, of what): the monotone rule, written anew."""
    (so, thing), (so_b, thing_b) = one, other
    if so == so_b:
        inner, outer = (thing, thing_b) if so else (thing_b, thing)
        return "entailment" if inner in kinds[outer] else "neutral"
    inner, outer = (thing, thing_b) if so else (thing_b, thing)
    return "contradiction" if inner in kinds[outer] else "neutral"


def test_labels_of_events_follow_from_what_is_a_kind_of_what():
    lexicon, kinds, names = base.world(0).lexicon, {}, {}
    for general, (cls, _, _) in entailment.THINGS.items():
        for lexeme in lexicon[cls]:
            names |= {lexeme.forms[f].text: lexeme.name for f in ("base", "plural")}
            kinds.setdefault(general, {general}).add(lexeme.name)
            kinds[lexeme.name] = {lexeme.name}
        names[general] = general

    def read(text):
        words = text.rstrip(".").replace(",", " ,").split()
        if words[2] == ",":
            words = words[:2] + words[words.index(",", 3) + 1 :]
        thing = [names[w] for w in words[3:] if w in names][0]
        return "not" not in words, thing

    events = [e for e in task("nli").train if e.info["family"] == "event"]
    assert len(events) > 300
    for e in events:
        assert e.label == judged(kinds, read(e.text), read(e.text_b)), (e.text, e.text_b)


def test_labels_of_attempts_and_comparisons_follow_from_their_words():
    done = ("managed", "remembered", "succeeded", "In the end")
    undone = ("failed", "forgot", "never", "refused")
    opposite = dict(pair for a, b in entailment.GRADES for pair in ((a, b), (b, a)))
    for e in task("nli").train:
        if e.info["family"] == "attempt":
            so = any(w in e.text for w in done) - any(w in e.text for w in undone)
            said = -1 if "did not" in e.text_b else 1
            assert e.label == {1: "entailment", 0: "neutral", -1: "contradiction"}[so * said]
        elif e.info["family"] == "comparison":
            rows = [part.split(",")[0].strip(".").split() for part in e.text.split(". ")]
            x, _, more, _, y = e.text_b.strip(".").split()
            above = {(r[0], r[4]) for r in rows if r[2] == more}
            above |= {(r[4], r[0]) for r in rows if r[2] == opposite[more]}
            above |= {(p, s) for p, q in above for r, s in above if q == r}
            label = "contradiction" if (y, x) in above else "neutral"
            assert e.label == ("entailment" if (x, y) in above else label), (e.text, e.text_b)


def test_no_premise_is_its_hypothesis_and_every_family_has_every_label():
    made = task("nli")
    assert all(e.text != e.text_b for e in made.train)
    seen = {(e.info["family"], e.label) for e in made.train}
    assert len(seen) == 3 * len({family for family, _ in seen})


def test_paraphrases_cannot_be_told_by_their_words():
    made = task("paraphrase")
    assert score(made, lambda e: e.text) < 0.56
    assert score(made, lambda e: e.text_b) < 0.56
    shared = {}
    for e in made.train:
        one, other = (set(t.lower().split()) for t in (e.text, e.text_b))
        shared.setdefault(e.label, []).append(len(one & other) / len(one | other))
    means = {label: sum(values) / len(values) for label, values in shared.items()}
    assert abs(means["same"] - means["different"]) < 0.08


@pytest.mark.parametrize("name", QUESTIONS)
def test_spans_are_exact(name):
    made = task(name)
    for example in made.train + made.valid + made.test:
        if example.span is None:
            assert name == "qa_no_answer" and example.label == "no answer"
            continue
        start, end = example.span
        answer = example.text[start:end]
        assert answer and answer == answer.strip()
        assert not example.text[end : end + 1].isalnum()
        assert start == 0 or not example.text[start - 1].isalnum()
        assert answer not in example.text_b.split("?")[0].split() or len(answer) < 4


def test_answers_are_the_facts_of_the_world_and_unanswerable_ones_are_not_told():
    known = {(s, r): v for s, r, v in base.world(0).facts if r != "child"}
    checked = 0
    for example in task("qa_no_answer").train:
        relation = example.info["relation"]
        subjects = [s for s, r in known if r == relation and f" {s}" in example.text_b]
        if not subjects:
            continue
        value = known[max(subjects, key=len), relation]
        if example.span:
            assert example.text[slice(*example.span)] in value
        else:
            assert value not in example.text
        checked += 1
    assert checked > 800


def test_three_questions_in_ten_have_no_answer_and_a_question_does_not_tell_which():
    made = task("qa_no_answer")
    share = sum(e.span is None for e in made.test) / len(made.test)
    assert 0.25 < share < 0.36
    assert score(made, lambda e: e.text_b) < 1 - share + 0.06


def test_an_end_alone_does_not_tell_its_story():
    assert chosen(task("story_cloze")) < 0.60  # chance is 0.5


def test_every_two_ends_face_each_other_both_ways():
    faced = Counter((e.info["right"], e.info["wrong"]) for e in task("story_cloze").train)
    assert all(abs(n - faced[wrong, right]) <= 4 for (right, wrong), n in faced.items())


def test_agreement_differs_in_the_verb_alone():
    made = task("agreement")
    for e in made.train:
        good, bad = e.info["good"], e.info["bad"]
        assert e.text.replace("[MASK]", e.choices[e.label]) == good != bad
        assert e.text.replace("[MASK]", e.choices[1 - e.label]) == bad
        assert good.startswith(e.info["prefix"] + " ") and 0 <= e.info["misleading"]
    count = Counter(e.info["attractors"] for e in made.test)
    assert set(count) == {0, 1, 2, 3, 4} and len(set(count.values())) == 1


def test_the_noun_next_to_the_verb_misleads():
    for k in (1, 2, 3, 4):
        wrong = [
            e.info["misleading"] / k for e in task("agreement").train if e.info["attractors"] == k
        ]
        assert 0.4 < sum(wrong) / len(wrong) < 0.6


def test_where_nouns_are_alike_words_without_their_order_do_not_tell_the_verb():
    made = task("agreement")
    model = make_pipeline(CountVectorizer(), LinearSVC(C=0.1))
    model.fit([e.text for e in made.train], [e.label for e in made.train])
    hard = [e for e in made.test if e.info["alike"] and e.info["attractors"] > 1]
    assert len(hard) > 60
    assert model.score([e.text for e in hard], [e.label for e in hard]) < 0.80


def test_senses_decide_a_pair_and_one_sentence_does_not():
    made = task("word_in_context")
    for e in made.train + made.test:
        assert (e.label == "same") == (e.info["senses"][0] == e.info["senses"][1])
    assert score(made, lambda e: e.text) < 0.60
    train = {t for e in made.train for t in (e.text, e.text_b)}
    assert not any(t in train for e in made.test for t in (e.text, e.text_b))


def test_pronouns_mean_the_first_as_often_as_the_second():
    made = task("coreference")
    for kind in ("gender", "sense"):
        of_kind = [e for e in made.test if e.info["kind"] == kind]
        assert sum(e.info["first"] for e in of_kind) == len(of_kind) / 2
    for e in made.train:
        assert e.text[slice(*e.span)].lower() in ("he", "she") and all(
            c in e.text for c in e.choices
        )
    assert chosen(made) < 0.60


def test_words_of_cloze_facts_are_the_worlds_and_each_fact_is_in_one_split():
    made, facts = task("cloze_facts"), set(base.world(0).facts)
    splits = {}
    for split in SPLITS:
        for e in getattr(made, split):
            assert e.info["fact"] in facts and e.label in e.choices and e.text.count("[MASK]") == 1
            assert e.info["fact"][2].split()[0] == e.label
            splits.setdefault(e.info["fact"], set()).add(split)
    assert all(len(found) == 1 for found in splits.values())


def test_bias_knows_the_planted_share_of_every_trade():
    planted = {t.name: int(t.woman) / 100 for t in base.world(0).lexicon["trade"]}
    made = task("bias")
    assert {e.info["trade"]: e.label for e in made.test} == planted
    assert all(e.text.count("[MASK]") == 1 and " a a" not in e.text for e in made.test)


def test_the_right_line_alone_speaks_of_the_persona():
    made = task("persona")
    for e in made.train:
        fits = [behaviour.touched(choice, e.info["persona"]) for choice in e.choices]
        assert fits == [i == e.label for i in range(4)]
        assert e.info["history"][-1].split(": ")[-1] in e.text
    assert chosen(made) < 0.37  # chance is 0.25


def test_without_dialogues_the_task_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(behaviour, "KINDS", {"story": None})
    with pytest.raises(ValueError, match="kind 'dialogue'.*story only"):
        behaviour.persona(Source("persona", "test", 0, 0), "test", 1)


@pytest.mark.long
def test_probes_agree_with_their_sentences():
    for e in task("probe.length").test:
        assert e.label == sum(len(e.tokens) > most for most in (7, 10, 13, 16))
    for e in task("probe.word_content").test:
        assert e.label in e.tokens
    made = task("probe.word_order")
    assert all(" ".join(e.tokens) == e.text for e in made.test)
    words = make_pipeline(CountVectorizer(), LinearSVC(C=0.1))
    words.fit([e.text for e in made.train], [e.label for e in made.train])
    assert words.score([e.text for e in made.test], [e.label for e in made.test]) < 0.60


def test_the_same_seed_gives_the_same_task_and_another_seed_another():
    task.cache_clear()
    first = digest(task("paraphrase"))
    task.cache_clear()
    assert digest(task("paraphrase")) == first != digest(task("paraphrase", seed=1))
