import pytest

from minibert import world
from minibert.text import detokenise, tokenise
from minibert.text.tokens import spans

CASES = {
    "I don't know.": "I do n't know .",
    "Anna's dog; the dogs' bowls": "Anna 's dog ; the dogs ' bowls",
    "I'm sure we'll say they've gone": "I 'm sure we 'll say they 've gone",
    "She'd go, you're right": "She 'd go , you 're right",
    "It can't, won't, shouldn't've": "It ca n't , wo n't , should n't 've",
    "DON'T SHOUT, IT'S LATE": "DO N'T SHOUT , IT 'S LATE",
    "Mr. and Mrs. Bell met Dr. Hill in St. Ives.": "Mr. and Mrs. Bell met Dr. Hill in St. Ives .",
    "They won 3-1, at 7.30, before 1,200 people.": "They won 3-1 , at 7.30 , before 1,200 people .",
    "a well-known mother-in-law's house": "a well-known mother-in-law 's house",
    "her lady's-maid at five o'clock": "her lady's-maid at five o'clock",
    "in the U.S. at 9 p.m. today": "in the U.S. at 9 p.m. today",
    "the 1990s, the 3rd, a 20-year-old": "the 1990s , the 3rd , a 20-year-old",
    "it costs $5 or 50%": "it costs $ 5 or 50 %",
    "the end...": "the end ...",
    'He said, "Go away!"': 'He said , " Go away ! "',
    "(or so it seems)": "( or so it seems )",
    "a <unk> word": "a <unk> word",
    "in Anna’s house he didn’t": "in Anna ’s house he did n’t",
    "the naïve tōji's café": "the naïve tōji 's café",
    "all I cannot do": "all I cannot do",
}


@pytest.mark.parametrize("text", CASES)
def test_tokens_follow_the_treebank(text):
    assert tokenise(text) == CASES[text].split(" ")


@pytest.mark.parametrize("text", CASES)
def test_detokenise_gives_the_text_back(text):
    assert detokenise(tokenise(text)) == text


def test_a_dash_joins_words_and_ends_a_clitic():
    assert tokenise("love--and death's--the end") == "love -- and death 's -- the end".split()
    assert detokenise(["love", "--", "and", "death"]) == "love--and death"


def test_quotes_open_and_close_in_turn():
    tokens = ['"', "Yes", ",", '"', "she", "said", ",", '"', "I", "do", ".", '"']
    assert detokenise(tokens) == '"Yes," she said, "I do."'


def test_a_quote_that_ends_the_text_closes():
    assert detokenise(["I", "do", ".", '"']) == 'I do."'


def test_empty():
    assert tokenise("") == tokenise(" \n\t ") == []
    assert detokenise([]) == ""


def test_spans_point_at_the_tokens():
    text = 'Mr. Bell didn\'t  say\n"no".'
    assert [text[start:end] for start, end in spans(text)] == tokenise(text)


def test_the_world_keeps_the_same_conventions():
    corpus = world.generate(tokens=20_000, seed=11)
    sentences = [sentence for document in corpus.documents for sentence in document.sentences]
    assert len(sentences) > 500
    for sentence in sentences:
        assert tokenise(sentence.text) == sentence.tokens
        assert detokenise(sentence.tokens) == sentence.text
