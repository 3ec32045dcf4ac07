"""The world and its generator: facts, lexicon, gold annotation, digests, planted phenomena."""

import json
from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path

import pytest

from minibert import world
from minibert.text import tokenise
from minibert.world import lexicon as lexicons
from minibert.world import phrases
from minibert.world.base import world as make_world
from minibert.world.kinds import KINDS
from minibert.world.lexicon import Lexicon, LexiconError
from minibert.world.template import COLUMNS

# Of the text of ``generate(tokens=20_000, seed=0)``, of all kinds together and of each. They change
# whenever a template, a word or a weight does; if that was meant, run this file to write them anew:
# ``python tests/unit/test_world_core.py``.
DIGESTS = Path(__file__).with_name("world_digests.json")
RELATIONS = set(
    "root nsubj nsubj:pass obj iobj obl obl:agent obl:tmod obl:npmod nmod nmod:poss nmod:tmod amod "
    "advmod advcl acl acl:relcl ccomp xcomp csubj conj cc cop aux aux:pass mark case det nummod "
    "appos flat compound compound:prt parataxis vocative discourse expl punct fixed".split()
)
OWN = ("encyclopedia", "news", "match")


@pytest.fixture(scope="module")
def fixed():
    return make_world(0)


@pytest.fixture(scope="module")
def corpus():
    return world.generate(tokens=200_000, seed=0)


@pytest.fixture(scope="module")
def sentences(corpus):
    return [sentence for document in corpus.documents for sentence in document.sentences]


# The corpus


def test_same_seed_same_text_another_seed_another():
    one, again, other = (world.generate(tokens=5_000, seed=seed) for seed in (3, 3, 4))
    assert one.text() == again.text() != other.text()
    assert one.floor == again.floor
    assert world.generate(tokens=5_000, seed=3, world_seed=1).text() != one.text()


def digest(kind):
    text = world.generate(tokens=20_000, seed=0, kinds=None if kind == "all" else [kind]).text()
    return sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize("kind", ["all", *KINDS])
def test_the_text_is_the_same_everywhere(kind):
    assert digest(kind) == json.loads(DIGESTS.read_text())[kind]


def test_length_counts_the_ends_of_sentences_and_documents(corpus):
    stream = list(corpus.tokens())
    assert len(stream) == len(corpus) >= 200_000
    assert stream.count("<eod>") == len(corpus.documents)
    assert stream[-1] == "<eod>" and stream[-2] == "<eos>"
    assert sum(len(s.tokens) + 1 for d in corpus.documents for s in d.sentences) + len(
        corpus.documents
    ) == len(corpus)


def test_the_floor_is_a_plausible_entropy(corpus):
    assert 0.2 < corpus.floor < 2.0
    assert all(document.log_prob < 0 for document in corpus.documents)


def test_kinds_are_drawn_by_their_weights(corpus):
    counts = Counter(document.kind for document in corpus.documents)
    total, weights = len(corpus.documents), sum(kind.weight for kind in KINDS.values())
    for name, kind in KINDS.items():
        share = kind.weight / weights
        assert counts[name] / total == pytest.approx(share, abs=4 * (share / total) ** 0.5)


def test_kinds_can_be_chosen_and_mistakes_are_named():
    only = world.generate(tokens=2_000, seed=0, kinds=["news"])
    assert {document.kind for document in only.documents} == {"news"}
    with pytest.raises(ValueError, match="no kind of text is called 'new'; did you mean 'news'"):
        world.generate(tokens=10, kinds=["new"])
    with pytest.raises(ValueError, match="at least one kind"):
        world.generate(tokens=10, kinds=[])
    with pytest.raises(ValueError, match="tokens must be at least 1, got 0"):
        world.generate(tokens=0)


def test_documents_have_a_topic_and_facts_of_the_world(fixed):
    known = set(fixed.facts)
    for kind in OWN:
        documents = world.generate(tokens=20_000, seed=2, kinds=[kind]).documents
        assert all(document.topic for document in documents)
        assert sum(bool(document.facts) for document in documents) > len(documents) / 2
        subjects = {fact[0] for fact in known}
        stated = [f for d in documents for f in d.facts if f[0] in subjects and len(f) == 3]
        assert sum(fact in known for fact in stated) > len(stated) / 2


# Gold annotation


def test_gold_columns_are_as_long_as_the_tokens(sentences):
    for sentence in sentences[::3]:
        lengths = {len(getattr(sentence, column)) for column in COLUMNS}
        assert len(lengths) == 1, sentence.template


def test_every_sentence_is_a_tree_with_known_relations(sentences):
    for sentence in sentences[::3]:
        heads = sentence.head
        assert heads.count(-1) == 1, sentence.template
        assert set(sentence.relation) <= RELATIONS, sentence.template
        assert sentence.relation[heads.index(-1)] == "root"
        for at in range(len(heads)):
            steps = 0
            while at != -1 and steps <= len(heads):
                at, steps = heads[at], steps + 1
            assert steps <= len(heads), f"a cycle: {sentence.template}"


def test_text_gives_back_its_tokens(sentences):
    for sentence in sentences:
        assert tokenise(sentence.text) == sentence.tokens, sentence.template


def test_entities_are_iob(sentences):
    labels = Counter()
    for sentence in sentences[::3]:
        before = "O"
        for label in sentence.entity:
            labels[label.split("-")[-1]] += 1
            if label.startswith("I-"):
                assert before != "O" and before[2:] == label[2:], sentence.text
            before = label
    assert set(labels) >= {"PER", "LOC", "ORG", "WORK", "O"}


def test_sentences_start_with_a_capital_and_end_with_a_mark(corpus):
    for document in corpus.documents:
        for text in document.lines():
            assert not text.lstrip('"')[0].islower(), text
            assert text[-1] in '.?!":' or document.kind == "letter", text


# What is planted


def test_homographs_occur_in_both_senses(sentences):
    senses = defaultdict(Counter)
    for sentence in sentences:
        for lemma, sense in zip(sentence.lemma, sentence.sense, strict=True):
            if sense:
                senses[lemma][sense] += 1
    both = [lemma for lemma, counts in senses.items() if len(counts) > 1]
    assert len(both) >= 20
    assert {"bank", "bat", "spring", "crane", "seal", "match", "light", "watch"} <= set(both)


def test_types_are_many_and_zipf_like(sentences):
    counts = Counter(token.lower() for s in sentences for token in s.tokens)
    ranked = [count for _, count in counts.most_common()]
    assert 1_800 < len(ranked) < 5_000
    total = sum(ranked)
    assert 0.3 < sum(ranked[:20]) / total < 0.7
    assert sum(count <= 5 for count in ranked) > len(ranked) / 5  # the tail of rare words
    assert ranked[0] > 5 * ranked[30] > 25 * ranked[600]


def test_facts_are_mentioned_seldom_and_often(fixed, corpus):
    counts = Counter(fact for document in corpus.documents for fact in document.facts)
    mentioned = [counts[fact] for fact in fixed.facts if counts[fact]]
    assert min(mentioned) == 1  # in 200 thousand tokens; 1 to about 1,000 in a million
    assert max(mentioned) > 60
    assert sum(count <= 3 for count in mentioned) > len(mentioned) / 10


def test_subjects_agree_over_the_planted_attractors(fixed):
    from random import Random

    from minibert.world.writer import Writer

    random, lengths, plural = Random("agreement").random, Counter(), Counter()
    for _ in range(3_000):
        w = Writer(fixed, random)
        w.groups = fixed.groups("agreement test", phrases.TEMPLATES)
        subject, verb = phrases.subject(w, "key")
        nouns = [t for t, p in zip(subject.tokens, subject.pos, strict=True) if p == "NOUN"]
        lengths[len(nouns) - 1] += 1
        plural[verb] += 1
        assert (nouns[0] == "keys") == (verb == "are")
    for length, percent in phrases.ATTRACTORS.items():
        assert lengths[length] / 3_000 == pytest.approx(percent / 100, abs=0.04)
    assert plural["are"] / 3_000 == pytest.approx(phrases.PLURAL / 100, abs=0.04)


def test_women_share_the_trades_as_planted(fixed):
    for trade in fixed.lexicon["trade"]:
        women, men = fixed.strangers_of[trade].items
        assert (women.gender, men.gender) == ("f", "m")
        shares = fixed.strangers_of[trade].weights
        assert shares[0] / sum(shares) == int(trade.woman) / 100
        assert women.forms["he"].text == "she" and men.forms["his"].text == "his"
    people = [make_world(seed).adults for seed in range(4)]
    for low, high in (("blacksmith", "dressmaker"), ("plumber", "midwife")):
        women = {
            name: [p.gender for adults in people for p in adults if p.trade.name == name]
            for name in (low, high)
        }
        assert women[low].count("f") <= len(women[low]) / 2 <= len(women[high]) / 2
        assert women[high].count("f") >= women[high].count("m")


# The world


def test_people_and_places_hang_together(fixed):
    firsts = [person.forms["first"].text for person in fixed.people]
    assert len(set(firsts)) == len(firsts) > 140
    for person in fixed.people:
        assert person.spouse is None or person.spouse.spouse is person
        assert all(person in child.parents for child in person.children)
        assert all(parent.birth < person.birth - 15 for parent in person.parents)
        assert (person.trade is None) == (person.age < 18)
        assert person.age >= 6
    for town in fixed.towns:
        assert len(town.people) >= 2 and town.mayor.town is town
        assert town in town.country.towns.items and town not in town.near
        for other in town.near:
            (km, way), (back, opposite) = town.way_to(other), other.way_to(town)
            assert km == back > 0 and {way, opposite} in ({"north", "south"}, {"east", "west"})
    assert all(len(river.towns) >= 2 for river in fixed.rivers)
    for team in fixed.teams:
        assert len(team.players) == 5 and all(p.team is team for p in (*team.players, team.keeper))
    assert all(work.year > work.maker.birth + 20 for work in (*fixed.films, *fixed.books))


@pytest.mark.parametrize("seed", range(1, 25))
def test_every_seed_gives_a_whole_world(seed):
    drawn = make_world(seed)
    assert len(drawn.people) > 120 and len(drawn.facts) > 1_200


def test_facts_are_triples_of_strings_said_once(fixed):
    assert all(len(fact) == 3 and all(isinstance(x, str) for x in fact) for fact in fixed.facts)
    assert len(set(fixed.facts)) == len(fixed.facts) > 1_000
    assert ("Norland", "capital", str(fixed.countries.items[0].capital)) in fixed.facts


# The lexicon


def written(folder, text):
    (folder / "words.toml").write_text(text, encoding="utf-8")
    return folder


def entry(words, cls="gadget", pos="NOUN", more=""):
    return f'[{cls}]\npos = "{pos}"\n{more}\nwords = """\n{words}\n"""\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[gadget\n", "words.toml is not valid TOML"),
        (entry("lamp", more='plurl = "x"'), "unknown key 'plurl'"),
        (entry("lamp", more='form = ["young"]'), "did you mean 'forms'"),
        (entry("lamp plurl=lamps"), "'lamp' has an unknown key 'plurl'; did you mean 'plural'"),
        (entry("lamp\nlamp"), "'lamp' is listed twice"),
        (entry("lamp weight=0"), "weight of 'lamp' must be a whole number > 0"),
        (entry("lamp weight=heavy"), "weight of 'lamp' must be a whole number > 0"),
        (entry("lamp", pos="THING"), "pos 'THING' is none of"),
        (entry(""), "the class has no words"),
        (entry("plural=lamps"), "has no word"),
        ('[gadget]\npos = "NOUN"\n', "a class needs pos"),
        ('[animal_trait]\nwords = "shy"\n', "'shy' is listed twice"),
        ('[trade]\nzipf = 1\nwords = "piper"\n', "only its words can be added to"),
        ('[trade]\nwords = "piper woman=40"\n', "'piper' needs works=..."),
    ],
)
def test_a_bad_entry_gets_a_clear_error(tmp_path, text, message):
    with pytest.raises(LexiconError) as error:
        Lexicon((lexicons.FOLDER, written(tmp_path, text)))
    assert message in str(error.value) and "words.toml" in str(error.value)


def test_a_class_is_defined_once_in_a_folder(tmp_path):
    written(tmp_path, entry("lamp"))
    (tmp_path / "again.toml").write_text(entry("torch"), encoding="utf-8")
    with pytest.raises(LexiconError, match="defined twice, first in again.toml"):
        Lexicon((tmp_path,))
    with pytest.raises(FileNotFoundError, match="no .toml file of a lexicon"):
        Lexicon((tmp_path / "nowhere",))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("[nsubj {x:wild_animl}] *came .", "no class 'wild_animl'; did you mean 'wild_animal'"),
        ("[nsubj {x.plurl:bird}] *came .", "has no form 'plurl'; did you mean 'plural'"),
        ("[nsubj The zorch] *came .", "'zorch' is in no class of the lexicon"),
        ("[nsubj The bank] *came .", "bank/NOUN/bank/bank.money"),
        ("[nsubj The {x:bird} *came .", "is not closed"),
        ("[nsubj The {x:bird}] ] *came .", "] without its ["),
        ("[nsubj The {x:bird}] *came *there .", "two heads are marked"),
        ("[nsubj The cat dog] *came .", "mark the head of the phrase"),
        ("[nsubj {x:bird:y}] *came .", "cannot read the slot"),
    ],
)
def test_a_bad_template_gets_a_clear_error(fixed, template, message):
    with pytest.raises(ValueError) as error:
        fixed.lexicon.template(template)
    assert message in str(error.value)


def test_a_teacher_can_add_words(tmp_path):
    written(
        tmp_path,
        '[wild_animal]\nwords = "yak home=mountain eats=grass trait=strong size=8"\n'
        '[trade]\nwords = "piper woman=40 works=hall"\n[town_name]\nwords = "Newtown"\n',
    )
    text = world.generate(tokens=60_000, lexicon=tmp_path, kinds=["encyclopedia"]).text()
    assert "yak" in text and "piper" in text and "Newtown" in text
    assert "yak" not in world.generate(tokens=60_000, kinds=["encyclopedia"]).text()


def test_no_class_gives_one_spelling_twice(fixed):
    """In one form, the words of a class are spelled differently, so that a draw shows."""
    for cls, choice in fixed.lexicon.classes.items():
        forms = {name for lexeme in choice for name in lexeme.forms if not name.startswith("young")}
        for form in forms:  # a calf may be of a cow or of an ox: no template draws by the young
            texts = [x.forms[form].text for x in choice if form in x.forms]
            shared = [text for text, count in Counter(texts).items() if count > 1]
            assert not shared, f"[{cls}] has {shared} twice as {form}"


def test_tags_name_words_of_the_lexicon(fixed):
    lexicon = fixed.lexicon
    for cls in ("pet", "farm_animal", "wild_animal", "bird", "fish", "insect"):
        for animal in lexicon[cls]:
            assert lexicon.find(animal.home) and lexicon.noun(animal.eats)
            assert lexicon.find(animal.trait, "ADJ") and 1 <= int(animal.size) <= 9
            if "voice" in animal.tags:
                assert lexicon.word("voice", animal.voice)
    for trade in lexicon["trade"]:
        assert lexicon.find(trade.works, form="plural") and 0 < int(trade.woman) < 100


@pytest.mark.parametrize(
    ("word", "form", "text"),
    [
        ("go", "past", "went"),
        ("stop", "ing", "stopping"),
        ("carry", "third", "carries"),
        ("travel", "past", "travelled"),
        ("mouse", "plural", "mice"),
        ("knife", "plural", "knives"),
        ("church", "plural", "churches"),
        ("big", "comparative", "bigger"),
        ("happy", "superlative", "happiest"),
        ("good", "comparative", "better"),
        ("kind", "ness", "kindness"),
        ("happy", "un", "unhappy"),
        ("young", "superlative", "youngest"),
    ],
)
def test_inflection(fixed, word, form, text):
    pos = {"past": "VERB", "ing": "VERB", "third": "VERB", "plural": "NOUN"}.get(form, "ADJ")
    assert fixed.lexicon.find(word, pos, form).forms[form].text == text


def test_long_adjectives_have_no_suffix(fixed):
    assert "comparative" not in fixed.lexicon.find("beautiful", "ADJ").forms


if __name__ == "__main__":
    found = {kind: digest(kind) for kind in ("all", *KINDS)}
    DIGESTS.write_text(json.dumps(found, indent=1) + "\n")
