"""Merging the most frequent pair of neighbours, again and again: how word pieces are learned.

Sennrich, Haddow & Birch (2016), section 3.2, took this from data compression (Gage 1994).
"""

from collections import Counter, defaultdict
from heapq import heapify, heappop, heappush
from itertools import pairwise


def counted(texts, cut):
    """How often each part of ``texts`` occurs, a Counter; ``cut`` gives the parts of one of them.

    One string is one text. Raises ValueError for a text that is no string.
    """
    counts = Counter()
    for text in [texts] if isinstance(texts, str) else texts:
        if not isinstance(text, str):
            raise ValueError(f"expected texts (strings) to learn from, got {type(text).__name__}")
        counts.update(cut(text))
    return counts


def learn(words, alphabet, join, min_count=2):
    """Yield (left, right, joined), the symbols to merge, the most frequent pair first.

    ``words``: dict from a word, a tuple of symbols (str), to its count; ``alphabet``: all these
    symbols. ``join``: (left, right) to the new symbol. A pair is counted in the words as they are
    after the merges so far. Of pairs with equal counts, the one with the older left symbol is
    taken, then the one with the older right symbol. (The alphabet comes first, in its order, then
    merged symbols.) It ends when no pair occurs ``min_count`` times.

    A merge visits only the words that contain its pair. An entry of the heap may be out of date,
    but then it is too high, because every rise is entered. So the top is checked, and put back if
    wrong.
    """
    symbols = list(alphabet)
    number = {symbol: i for i, symbol in enumerate(symbols)}  # a symbol's age
    spellings = [[number[symbol] for symbol in word] for word in words]
    times = list(words.values())
    counts, places = defaultdict(int), defaultdict(set)
    for i, spelling in enumerate(spellings):
        for pair in pairwise(spelling):
            counts[pair] += times[i]
            places[pair].add(i)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapify(heap)
    while heap:
        entry, pair = heappop(heap)
        if counts[pair] != -entry:
            if counts[pair] >= min_count:
                heappush(heap, (-counts[pair], pair))
            continue
        if -entry < min_count:
            return
        left, right = (symbols[i] for i in pair)
        joined = join(left, right)
        if joined not in number:
            number[joined] = len(symbols)
            symbols.append(joined)
        yield left, right, joined
        for touched in _replace(spellings, times, counts, places, pair, number[joined]):
            heappush(heap, (-counts[touched], touched))


def _replace(spellings, times, counts, places, pair, joined):
    """Merge ``pair`` in all words that contain it; returns the pairs that now occur more often."""
    change = defaultdict(int)
    for i in places.pop(pair):
        before, spellings[i] = spellings[i], merge(spellings[i], pair, joined)
        for old in pairwise(before):
            change[old] -= times[i]
        for new in pairwise(spellings[i]):
            change[new] += times[i]
            places[new].add(i)
    for touched, difference in change.items():
        counts[touched] += difference
    return [touched for touched, difference in change.items() if difference > 0]


def merge(spelling, pair, joined):
    """``spelling`` (a list of symbols) with ``joined`` for each ``pair``, from left to right."""
    result, i = [], 0
    while i < len(spelling):
        if i + 1 < len(spelling) and spelling[i] == pair[0] and spelling[i + 1] == pair[1]:
            result.append(joined)
            i += 2
        else:
            result.append(spelling[i])
            i += 1
    return result
