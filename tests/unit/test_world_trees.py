"""Constituent trees of the world's sentences: exact small examples, coverage, nesting."""

import pytest

from minibert import world
from minibert.world.base import world as make_world
from minibert.world.constituents import tree_of
from minibert.world.document import Sentence
from minibert.world.trees import TOP, Tree

EXAMPLES = {  # a template without slots -> its tree
    "[nsubj the dog] *ran/run.move away .": (
        "(S (NP (DET The) (NOUN dog)) (VP (VERB ran) (ADVP (ADV away))) (PUNCT .))"
    ),
    "[nsubj the key/key.lock [nmod to the door]] is missing/ADJ .": (
        "(S (NP (NP (DET The) (NOUN key)) (PP (ADP to) (NP (DET the) (NOUN door)))) "
        "(VP (AUX is) (ADJP (ADJ missing))) (PUNCT .))"
    ),
    "[nsubj he] has *eaten/VERB/eat [obj the cake [conj and the bread]] .": (
        "(S (NP (PRON He)) (VP (AUX has) (VP (VERB eaten) (NP (NP (DET the) (NOUN cake)) "
        "(CCONJ and) (NP (DET the) (NOUN bread))))) (PUNCT .))"
    ),
    "[nsubj he] *sang [conj and *danced/VERB] , [conj but [nsubj she] *slept] .": (
        "(S (S (NP (PRON He)) (VP (VP (VERB sang)) (CCONJ and) (VP (VERB danced)))) (PUNCT ,) "
        "(CCONJ but) (S (NP (PRON she)) (VP (VERB slept))) (PUNCT .))"
    ),
    "[advmod where] did [nsubj he] *sleep/VERB ?": (
        "(SBARQ (WHADVP (ADV Where)) (SQ (AUX did) (NP (PRON he)) (VP (VERB sleep))) (PUNCT ?))"
    ),
    "[nsubj she] *knew [ccomp that [nsubj he] was afraid [obl of dogs]] .": (
        "(S (NP (PRON She)) (VP (VERB knew) (SBAR (SCONJ that) (S (NP (PRON he)) (VP (AUX was) "
        "(ADJP (ADJ afraid) (PP (ADP of) (NP (NOUN dogs)))))))) (PUNCT .))"
    ),
    "[obl in the garden] *stood [nsubj a man [acl:relcl [nsubj who] *sang]] .": (
        "(SINV (PP (ADP In) (NP (DET the) (NOUN garden))) (VP (VERB stood)) (NP (NP (DET a) "
        "(NOUN man)) (SBAR (WHNP (PRON who)) (S (VP (VERB sang))))) (PUNCT .))"
    ),
    "[nsubj he] *wants [xcomp to *eat] .": (
        "(S (NP (PRON He)) (VP (VERB wants) (S (VP (PART to) (VP (VERB eat))))) (PUNCT .))"
    ),
    '" [ccomp *go home] , " *said [nsubj she] .': (
        '(SINV (PUNCT ") (S (VP (VERB Go) (ADVP (ADV home)))) (PUNCT ,) (PUNCT ") '
        "(VP (VERB said)) (NP (PRON she)) (PUNCT .))"
    ),
    "good *morning !": "(FRAG (NP (ADJ Good) (NOUN morning)) (PUNCT !))",
    "[nsubj he] *came [advcl because [nsubj it] was *late/ADJ , [conj and [nsubj she] *slept]] .": (
        "(S (NP (PRON He)) (VP (VERB came) (SBAR (SCONJ because) (S (S (NP (PRON it)) (VP (AUX was)"
        " (ADJP (ADJ late)))) (PUNCT ,) (CCONJ and) (S (NP (PRON she)) (VP (VERB slept)))))) "
        "(PUNCT .))"
    ),
}


def sentence(source):
    """A sentence from a template without slots."""
    return Sentence(make_world(0).lexicon.template(source), [], {})


@pytest.fixture(scope="module")
def sentences():
    corpus = world.generate(tokens=30_000, seed=11)
    return [sentence for document in corpus.documents for sentence in document.sentences]


@pytest.mark.parametrize("source", list(EXAMPLES))
def test_trees_of_small_sentences(source):
    given = sentence(source)
    assert given.tree.bracketed(given.tokens) == EXAMPLES[source]


def test_every_token_stands_in_a_tree_once_and_spans_nest(sentences):
    for given in sentences:
        words = [part for part in given.tree if not part.children]
        assert [word.start for word in words] == list(range(len(given.tokens)))
        assert [word.label for word in words] == given.pos
        for part in given.tree:
            if part.children:
                assert part.start == part.children[0].start
                assert part.end == part.children[-1].end
                for one, next_one in zip(part.children, part.children[1:], strict=False):
                    assert one.end == next_one.start


def test_spans_and_parents_say_what_the_brackets_say():
    given = sentence("[nsubj the dog] *ran/run.move away .")
    assert given.tree.spans() == [(0, 5, "S"), (0, 2, "NP"), (2, 4, "VP"), (3, 4, "ADVP")]
    assert given.tree.parents() == [
        ("NP", "S"),
        ("NP", "S"),
        ("VP", "S"),
        ("ADVP", "VP"),
        ("S", TOP),
    ]


def test_labels_are_those_of_the_treebank(sentences):
    known = set(
        "S SBAR SBARQ SINV SQ FRAG NP VP PP ADJP ADVP QP PRT INTJ CONJP UCP "
        "WHNP WHPP WHADJP WHADVP".split()
    )
    assert {label for given in sentences for _, _, label in given.tree.spans()} <= known


def test_a_subject_is_a_constituent(sentences):
    """Of each verb whose subject stands before it, all words of the subject are one constituent."""
    for given in sentences:
        spans = {(start, end) for start, end, _ in given.tree.spans()}
        for i, relation in enumerate(given.relation):
            if relation == "nsubj" and given.pos[i] in ("NOUN", "PROPN") and i < given.head[i]:
                below = [j for j in range(len(given.tokens)) if i in path(given, j)]
                assert (min(below), max(below) + 1) in spans, given.text


def path(given, i):
    """The word and all above it."""
    found = [i]
    while given.head[found[-1]] >= 0:
        found.append(given.head[found[-1]])
    return found


def test_a_tree_that_crosses_is_refused():
    class Crossing:
        tokens, pos, lemma = list("abcd"), ["NOUN"] * 4, list("abcd")
        head, relation = [2, 3, -1, 2], ["nmod", "nmod", "root", "nmod"]

    with pytest.raises(ValueError, match="expected parts of NP that are neighbours"):
        tree_of(Crossing)
    with pytest.raises(ValueError, match="neighbours, got \\[\\(0, 1\\), \\(2, 3\\)\\]"):
        Tree.of("NP", [Tree("NOUN", 0, 1), Tree("NOUN", 2, 3)])
