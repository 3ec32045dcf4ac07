"""Football: goals that add up to the score, in the order of their minutes.

The result stands in the first sentence. Then each goal says who scored and when; what stands
between them (saves, misses, animals) changes nothing. ``now`` is the score so far, home side
first; ``ours`` is the same with the scoring side first.
"""

from minibert.world.kinds import read_templates
from minibert.world.people import Person
from minibert.world.places import Team
from minibert.world.words import Choice, Filler, Form
from minibert.world.writer import Writer, number

TEMPLATES = read_templates(__file__)
LAST = 90  # minutes
GOALS = Choice([0, 1, 2, 3, 4], [26, 32, 24, 12, 6])  # of one team
_INCIDENTS = ("save", "miss", "foul", "animal", "sky", "hurt")
_SIDES: dict[tuple[int, ...], Choice] = {
    (left, right): Choice([0, 1], [left, right]) for left in range(1, 5) for right in range(1, 5)
}


class Match:
    """The state of play while it is told."""

    def __init__(self, w: Writer, home: Team, away: Team, goals: tuple[int, int]) -> None:
        self.w, self.teams, self.left = w, (home, away), list(goals)
        self.score, self.minute = [0, 0], 1
        self.scored: list[Person] = []
        self.half_told, self.incidents = False, w.each(_INCIDENTS, least=6)
        self.facts = {"home": home, "away": away}

    @property
    def now(self) -> Filler:
        return score(*self.score)

    def play(self) -> None:
        """Tell all goals, with half-time and incidents between them."""
        while sum(self.left):
            room = (LAST - self.minute) // sum(self.left)
            self.minute = self.w.number(self.minute + 1, self.minute + room).value
            if self.minute > LAST // 2:
                self.half_time()
            if self.w.chance(30):
                self.incident()
            self.goal()
        self.half_time()

    def half_time(self) -> None:
        if not self.half_told:
            self.half_told = True
            self.w.say("half time", now=self.now)

    def goal(self) -> None:
        side = self.side()
        team, other = self.teams[side], self.teams[1 - side]
        scorer = self.w.pick(team.players)
        facts = {"s": scorer, "team": team, "min": number(self.minute)}
        if scorer in self.scored:
            self.w.say("goal again", **facts)
        elif self.w.chance(40):
            self.w.say("goal with pass", a=self.w.pick(team.players, without=[scorer]), **facts)
        else:
            self.w.say("goal" if scorer.trade else "young goal", **facts)
        self.scored.append(scorer)
        self.left[side] -= 1
        self.score[side] += 1
        if self.w.chance(50):
            ours = score(self.score[side], self.score[1 - side])
            self.w.say(self.state(side), team=team, other=other, now=self.now, ours=ours)

    def side(self) -> int:
        """Who scores next, in proportion to the goals that are left."""
        if 0 in self.left:
            return 0 if self.left[0] else 1
        return self.w.pick(_SIDES[tuple(self.left)])

    def state(self, side: int) -> str:
        ahead = self.score[side] - self.score[1 - side]
        return {0: "now level", 1: "now ahead"}.get(
            ahead, "now more" if ahead > 0 else "now closer"
        )

    def incident(self) -> None:
        """Something that changes nothing; none happens twice."""
        name = next(self.incidents, None)
        if name in ("save", "miss", "foul", "hurt"):
            side = self.w.pick((0, 1))
            scorer = self.w.pick(self.teams[side].players)
            keeper = self.teams[1 - side]
            self.w.say(name, s=scorer, k=keeper.keeper, team=keeper)
        elif name:
            self.w.say(name)


def score(home: int, away: int) -> Filler:
    text = f"{home}-{away}"
    return Filler(text, {"base": Form(text, "NUM")})


def football(w: Writer) -> None:
    """A report of one match."""
    home = w.pick(w.world.teams)
    away = w.pick(w.world.teams, without=[home])
    goals = w.pick(GOALS), w.pick(GOALS)
    w.topic = "football"
    at_home = goals[0] >= goals[1]
    ends = {"win": home if at_home else away, "lose": away if at_home else home}
    high, low = max(goals), min(goals)
    w.say("won" if high > low else "drawn", score=score(high, low), score2=score(low, high), **ends)
    sides = {"home": home, "away": away}
    w.say("ground", **sides)
    if w.chance(50):
        w.say("start", **sides)
    match = Match(w, home, away, goals)
    if high == 0:
        w.say("no goals", **sides)
        match.incident()
    match.play()
    if w.chance(40):
        match.incident()
    w.say("whistle", **sides)
    if high == low:
        w.say("coach drawn", p=ends["lose"].coach, **ends)
    elif w.chance(60):
        w.say("coach won", p=ends["win"].coach, **ends)
    else:
        w.say("coach lost", p=ends["lose"].coach, **ends)
    if w.chance(60):
        w.say("table", **ends)
    w.notes = {"score": goals, "teams": (str(home), str(away))}
    for team in (home, away):
        w.fact(team, "coach", team.coach)
