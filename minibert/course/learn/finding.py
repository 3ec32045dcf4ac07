"""What was measured: ``chapters/findings/NN.json``, read, compared and quoted.

A chapter claims a direction only where the paired interval over the seeds shows it. The numbers
are made by `minibert.course.author.measure`; nothing here computes one that the file does not hold.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minibert.course.learn.paths import chapters_folder
from minibert.storage.safe_files import read_json

LEVEL = 0.95
NOISE = 1e-6  # a smaller difference is one of rounding: no "-0.0"
UNITS = {  # unit of a measure -> factor, unit of a difference, format
    "percent": (100, "points", ".1f"),
    "nats": (1, "nats", ".2f"),
}
SUMMARIES: dict[str, Callable] = {
    "mean": statistics.fmean,
    "sd": statistics.stdev,
    "min": min,
    "max": max,
    "median": statistics.median,
}


@dataclass(frozen=True)
class Paired:
    """The difference of two measures over the same seeds: ``mean``, and the interval's ends."""

    mean: float
    low: float
    high: float
    seeds: int

    @property
    def shown(self) -> bool:
        """True when the 95 % interval leaves zero out and the mean is positive."""
        return self.low > 0

    @property
    def verdict(self) -> str:
        """Is a positive difference shown: "yes", "no" or "the reverse"."""
        return "yes" if self.shown else "the reverse" if self.high < 0 else "no"

    def says(self, claim: str, unit: str = "") -> str:
        """``claim`` with its `effect` in a unit, or not shown at this scale, or reversed.

        ``claim`` must be the sentence for a positive difference, such as "a beats b".
        """
        figures = effect(self, unit).replace("(", "(95 % interval ")
        if self.verdict == "yes":
            return f"{claim[:1].upper()}{claim[1:]}: {figures}."
        if self.verdict == "the reverse":
            return f"The reverse is shown at this scale, not that {claim}: {figures}."
        return f"Not shown at this scale: {claim}: {figures}."


@dataclass(frozen=True)
class Findings:
    """One chapter's measurements. A measure is named ``experiment.name``, as in the JSON file."""

    chapter: str
    content: dict

    def names(self) -> list[str]:
        """Every measure, as ``experiment.name``."""
        experiments = self.content["experiments"].items()
        return [
            f"{title}.{name}"
            for title, experiment in experiments
            for name in next(iter(experiment["seeds"].values()))["values"]
        ]

    def seeds(self, name: str) -> list[int]:
        """The seeds that measured ``name``, in order."""
        return sorted(int(seed) for seed in self._experiment(name)["seeds"])

    def values(self, name: str) -> list:
        """One value per seed, in order (a number, or a list of numbers for a curve)."""
        runs = self._experiment(name)["seeds"]
        measure = name.partition(".")[2]
        if measure not in next(iter(runs.values()))["values"]:
            raise ValueError(f"Chapter {self.chapter} has no {name!r}; it has: {self.names()}.")
        return [runs[str(seed)]["values"][measure] for seed in self.seeds(name)]

    def mean(self, name: str) -> float:
        """The mean over the seeds."""
        return statistics.fmean(self.values(name))

    def interval(self, name: str) -> tuple[float, float]:
        """The mean's 95 % t interval over the seeds, as a pair."""
        return t_interval(self.values(name))

    def paired(self, a: str, b: str | float) -> Paired:
        """`Paired` for ``a`` minus ``b``, seed by seed; ``b`` may be a number, such as chance.

        Raises ValueError on unequal seeds.
        """
        if isinstance(b, str) and self.seeds(a) != self.seeds(b):
            raise ValueError(f"{a} has the seeds {self.seeds(a)}, {b} has {self.seeds(b)}.")
        mine = self.values(a)
        others = self.values(b) if isinstance(b, str) else [b] * len(mine)
        differences = [x - y for x, y in zip(mine, others, strict=True)]
        return Paired(statistics.fmean(differences), *t_interval(differences), len(differences))

    def says(self, claim: str, a: str, b: str, unit: str = "") -> str:
        """``claim`` ("a beats b") if the paired interval shows it, else that it is not shown."""
        return self.paired(a, b).says(claim, unit)

    def _experiment(self, name):
        experiment = self.content["experiments"].get(name.partition(".")[0])
        if experiment is None:
            raise ValueError(f"Chapter {self.chapter} has no {name!r}; it has: {self.names()}.")
        return experiment


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """The two ends of the 95 % t interval of a mean. Raises ValueError below two values."""
    from scipy.stats import t

    if len(values) < 2:
        raise ValueError("An interval needs at least two seeds.")
    half = t.ppf((1 + LEVEL) / 2, len(values) - 1) * statistics.stdev(values)
    half /= math.sqrt(len(values))
    mean = statistics.fmean(values)
    return float(mean - half), float(mean + half)


def path_of(chapter: str, chapters: str | Path) -> Path:
    """The findings file of a chapter."""
    return Path(chapters) / "findings" / f"{chapter}.json"


def findings(chapter: str, chapters: str | Path | None = None) -> Findings:
    """The measured findings of a chapter, from wherever the notebook stands.

    Raises FileNotFoundError when the file is absent and ValueError when it is no findings file.
    """
    path = path_of(chapter, chapters or chapters_folder())
    try:
        content = read_json(path)
        for experiment in content["experiments"].values():
            runs = experiment["seeds"]
            if not runs or any(list(run["values"]) != list(_first(runs)) for run in runs.values()):
                raise ValueError("its seeds did not measure the same")
            list(map(int, runs))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"There are no findings for chapter {chapter} (chapters/findings/{chapter}.json); "
            f"`make findings CH={chapter}` measures them."
        ) from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is not a findings file: {error!r:.300}") from error
    return Findings(chapter, content)


def _first(runs):
    """The measures of the first seed, name -> value."""
    return next(iter(runs.values()))["values"]


def quote_finding(argument: str, chapters: str | Path) -> str:
    """``{{finding 01 experiment.name mean .3f}}`` -> the number.

    The summary is one of mean, sd, min, max, median, low, high (ends of the 95 % interval of the
    mean) or seeds (their number); the format, any that Python has, defaults to ``.3g``.
    """
    try:
        chapter, name, summary, *style = argument.split()
    except ValueError as error:
        raise ValueError("a finding is quoted as {{finding 01 experiment.name mean}}") from error
    found = findings(chapter, chapters)
    values = found.values(name)
    if summary == "seeds":
        return str(len(values))
    if summary in ("low", "high"):
        value = found.interval(name)[summary == "high"]
    elif summary in SUMMARIES:
        value = SUMMARIES[summary](values)
    else:
        known = ", ".join([*SUMMARIES, "low", "high", "seeds"])
        raise ValueError(f"unknown summary {summary!r}; known: {known}")
    return format(value, style[0] if style else ".3g")


def quote_claim(argument: str, chapters: str | Path) -> str:
    """``{{claim 01 exp.a exp.b | a beats b | percent}}`` -> the claim, not shown, or reversed.

    The unit is that of `effect`, and may be left out.
    """
    names, *told = (part.strip() for part in argument.split("|"))
    if len(told) not in (1, 2) or len(names.split()) != 3:
        raise ValueError("a claim is written as {{claim 01 exp.a exp.b | a beats b | percent}}")
    chapter, a, b = names.split()
    return findings(chapter, chapters).says(told[0], a, b, *told[1:])


def quote_findings(argument: str, chapters: str | Path) -> str:
    """A table of claims: ``{{findings 01``, a line for each claim, and ``}}``.

    A line is ``| a beats b | exp.a - exp.b | percent | 3.1 points |``: the claim, for a positive
    difference; the two measures (or a measure and a number); the unit, with a format if need be
    (``nats .3f``); the paper's figure, in any words. A share in percent has its effect in points.
    """
    chapter, *lines = [line.strip() for line in argument.strip().splitlines()]
    found = findings(chapter, chapters)
    table = [
        "| claim | effect, with its 95 % interval | shown | in the paper |",
        "|:---|:---|:---|:---|",
    ]
    for line in filter(None, lines):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        sides = cells[1].split(" - ") if len(cells) == 4 else ()
        if len(sides) != 2 or not all(cells):
            raise ValueError(
                "a line of {{findings 01 ...}} is written as | a beats b | exp.a - exp.b | unit | "
                f"the paper's figure |, not as {line}"
            )
        paired = found.paired(sides[0].strip(), _number(sides[1].strip()))
        claim, _, unit, paper = cells
        table.append(f"| {claim} | {effect(paired, unit)} | {paired.verdict} | {paper} |")
    return "\n".join(table)


def effect(paired: Paired, unit: str) -> str:
    """A paired difference as text: "+2.1 points (0.3 to 3.9; 5 seeds)".

    ``unit`` is any word, after it a format, if you like; ``percent`` is for shares.
    """
    name, *style = unit.split() or [""]
    factor, name, usual = UNITS.get(name, (1, name, ".3g"))
    style = style or [usual]

    def told(x: float, sign: str = "") -> str:
        x = factor * x if abs(x) > NOISE else 0.0
        return format(x, sign + style[0]).replace("-", "\N{MINUS SIGN}")

    mean, low, high = told(paired.mean, "+"), told(paired.low), told(paired.high)
    return f"{mean}{' ' * bool(name)}{name} ({low} to {high}; {paired.seeds} seeds)"


def _number(text):
    """The number that ``text`` is, or the text."""
    try:
        return float(text)
    except ValueError:
        return text
