"""How word pieces are learned: Sennrich, Haddow & Birch (2016), section 3.2, after Gage (1994)."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import TypeVar

Symbol = TypeVar("Symbol")
GOES_ON = "##"  # in front of a piece that continues a word (WordPiece)


def counted(texts: Iterable[str], cut: Callable[[str], Iterable[str]]) -> Counter[str]:
    """How often each part, as ``cut`` makes them, occurs; ValueError for what is no string."""
    counts: Counter[str] = Counter()
    if not hasattr(texts, "__iter__"):
        raise ValueError(f"expected texts (strings) to learn from, got one {type(texts).__name__}")
    for text in [texts] if isinstance(texts, str) else texts:
        if not isinstance(text, str):
            raise ValueError(f"expected texts (strings) to learn from, got {type(text).__name__}")
        counts.update(cut(text))
    return counts


def continued(
    counts: Mapping[str, int], alphabet: int
) -> tuple[dict[tuple[str, ...], int], set[str]]:
    """Words as characters, ``##`` before all but the first; of the ``alphabet`` most frequent."""
    letters: Counter[str] = Counter()
    for word, n in counts.items():
        for letter in word:
            letters[letter] += n
    known = set(sorted(letters, key=lambda letter: (-letters[letter], letter))[:alphabet])
    words = {word: n for word, n in counts.items() if known.issuperset(word)}
    spelled = {(w[0], *(GOES_ON + letter for letter in w[1:])): n for w, n in words.items()}
    return spelled, known


def join(left: str, right: str) -> str:
    """The piece that two adjacent pieces make: ("##a", "##b") gives "##ab"."""
    return left + right.removeprefix(GOES_ON)


def learn(
    words: Mapping[tuple[str, ...], int],
    alphabet: Iterable[str],
    join: Callable[[str, str], str],
    min_count: int = 2,
) -> Iterator[tuple[str, str, str]]:
    """Yield (left, right, joined), the symbols to merge, the most frequent pair first.

    ``words``: a word's symbols to its count; ``alphabet``: all these symbols; ``join``: (left,
    right) to the new symbol. Of pairs with equal counts, the one with the older left symbol is
    taken, then the older right one. It ends when no pair occurs ``min_count`` times. A merge visits
    only the words that contain its pair. An entry of the heap may be out of date, but then it is
    too high, because every rise is entered: the top is checked, and put back.
    """
    symbols = list(alphabet)
    number = {symbol: i for i, symbol in enumerate(symbols)}  # a symbol's age
    spellings = [[number[symbol] for symbol in word] for word in words]
    times = list(words.values())
    counts: dict[tuple[int, int], int] = defaultdict(int)
    places: dict[tuple[int, int], set[int]] = defaultdict(set)
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


def merge(spelling: Sequence[Symbol], pair: tuple[Symbol, Symbol], joined: Symbol) -> list[Symbol]:
    """``spelling`` (a list of symbols) with ``joined`` for each ``pair``, from left to right."""
    result, i = [], 0
    while i < len(spelling):
        found = i + 1 < len(spelling) and (spelling[i], spelling[i + 1]) == pair
        result.append(joined if found else spelling[i])
        i += 2 if found else 1
    return result
