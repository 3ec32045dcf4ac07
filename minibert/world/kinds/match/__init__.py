"""Match reports: football, told goal by goal, and now and then tennis or cricket."""

from functools import lru_cache
from pathlib import Path

from minibert.world.base import World
from minibert.world.kinds.match.football import TEMPLATES, football
from minibert.world.plots import Plot
from minibert.world.words import Choice
from minibert.world.writer import Writer

__all__ = ["TEMPLATES", "WEIGHT", "write"]
WEIGHT = 12
SPORTS = Choice(["football", "tennis", "cricket"], [70, 15, 15])


def write(w: Writer) -> None:
    sport = w.pick(SPORTS)
    if sport == "football":
        football(w)
        return
    cast = {"p": w.pick(w.world.adults)}
    if sport == "cricket":
        cast["t"] = cast["p"].town
        cast["u"] = w.pick(w.world.towns, without=[cast["t"]])
        cast["q"] = w.pick(cast["u"].adults)
    else:
        cast["q"] = w.pick(w.world.adults, without=[cast["p"]])
    branch = _plot(w.world, sport).write(w, cast)
    w.topic, w.notes = sport, {"branch": branch}
    for person in (cast["p"], cast["q"]):
        w.fact(person, "lives in", person.town)


@lru_cache(maxsize=16)
def _plot(world: World, sport: str) -> Plot:
    path = (Path(__file__).parent / sport).with_suffix(".toml")
    return Plot(path, world.lexicon.scoped("match"))
