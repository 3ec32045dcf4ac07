"""Entries on animals and plants, from the tags of the lexicon (home, eats, trait, size, voice)."""

from functools import cache

from minibert.world.places import things
from minibert.world.words import Choice

# How one speaks of living there; elsewhere it is "in" with a plural (in forests).
_NEAR = {"river": "by", "stream": "by", "coast": "along the", "sea": "in the", "ocean": "in the"}
_ON = ("farm", "hill", "moor", "chimney")
HOMES = {
    "home in": "in {h.plural}",
    "home on": "on {h.plural}",
    "home by": "by {h.plural}",
    "home under": "under {h.plural}",
    "home along the": "along the {h}",
    "home in the": "in the {h}",
}

TEMPLATES = HOMES | {
    "animal": """
        4| [nsubj A {x}] is a *{kind} .
        1| [nsubj {x.plural}] are {kind.plural} .
        """,
    "animal, home": """
        4| [nsubj A {x}] is a *{kind} [acl:relcl [nsubj that] lives/VERB [obl {home}]] .
        2| [nsubj The {x} , [appos a {kind}] ,] *lives/VERB [obl {home}] .
        """,
    "animal, food": """
        3| [nsubj A {x}] is a *{kind} [acl:relcl [nsubj that] *eats [obj {food}]] .
        2| [nsubj {x.plural}] are {kind.plural} [acl:relcl [nsubj that] *eat/VERB [obj {food}]] .
        1| [nsubj Everybody] *knows [obj the {x} , [appos a {kind} [acl:relcl [nsubj that] *eats [obj {food}]]]] .
        """,
    "animal, trait": """
        4| [nsubj The {x}] is a {trait} *{kind} .
        2| [nsubj A {x}] is a {trait} *{kind} .
        """,
    "animal home": """
        4| [nsubj It] *lives/VERB [obl {home}] .
        3| [nsubj It] *makes [obj its home/NOUN] [obl {home}] .
        2| [nsubj {x.plural}] *live/VERB [obl {home}] .
        2| [nsubj One] *can find [obj it] [obl {home}] .
        """,
    "animal food": """
        4| [nsubj It] *eats [obj {food}] .
        3| [nsubj {x.plural}] *like/VERB [xcomp to *eat [obj {food}]] .
        2| [nsubj It] *lives/VERB [obl on {food}] .
        2| [nsubj Its *food] is {food} .
        1| [obl At {c:clock}] [nsubj it] *looks [obl for {food}] .
        """,
    "animal young": """
        4| [nsubj:pass A young *{x}] is *called/VERB [xcomp a {x.young}] .
        3| [nsubj:pass Its *young/NOUN/young] are *called/VERB [xcomp {x.young_plural}] .
        3| [nsubj A {x.young}] is a young *{x} .
        1| [nsubj A {x.young}] *grows [compound:prt up] [xcomp to *be a {x}] .
        """,
    "animal voice": """
        3| [advcl When [nsubj it] is hungry] , [nsubj it] *{v.third} .
        3| [advcl When [nsubj {x.plural}] are afraid] , [nsubj they] *{v} .
        2| [obl At {c:clock}] [nsubj one] *can hear [obj it *{v}] .
        2| [nsubj It] *{v.third} [advcl when [nsubj somebody] *comes [advmod near/ADV]] .
        """,
    "animal trait": """
        3| [nsubj {x.plural}] are {trait} .
        3| [nsubj It] is {trait} .
        2| [nsubj People] *say [ccomp that [nsubj the {x}] is {trait}] .
        1| [ccomp as/ADV *{trait} [obl as/ADP a {x}]] , [nsubj people] *say .
        """,
    "animal bigger": """
        3| [nsubj It] is *bigger [obl than a {o}] .
        3| [nsubj It] is *larger [obl than a {o}] .
        2| [nsubj A {x}] is *bigger [obl than a {o}] .
        2| [nsubj A {x}] is *larger [obl than a {o}] .
        1| [nsubj A {o}] is *smaller [obl than a {x}] .
        """,
    "animal smaller": """
        4| [nsubj It] is *smaller [obl than a {o}] .
        3| [nsubj A {x}] is *smaller [obl than a {o}] .
        1| [nsubj A {o}] is *bigger [obl than a {x}] .
        1| [nsubj A {o}] is *larger [obl than a {x}] .
        """,
    "bird fact": """
        3| [obl Like all birds] , [nsubj it] *lays/VERB [obj eggs] .
        2| [nsubj It] *builds [obj a nest/NOUN] [obl in spring/spring.season] .
        2| [obl Like all birds] , [nsubj it] *has [obj wings [conj and feathers]] .
        1| [nsubj Its *bill/bill.beak] is long/ADJ .
        1| [nsubj It] *flies/fly.move [advmod south/ADV] [obl in autumn] .
        """,
    "fish fact": """
        3| [obl Like all fish/NOUN] , [nsubj it] *has [obj scales/scale.fish] .
        2| [nsubj It] *swims [obl:tmod day [conj and night]] .
        2| [nsubj People] *catch/VERB [obj it] [obl with a rod] .
        1| [nsubj It] *tastes/VERB [xcomp good] [obl with butter] .
        """,
    "insect fact": """
        3| [obl Like all insects] , [nsubj it] *has [obj six legs] .
        2| [nsubj It] *dies/VERB [advcl when [nsubj winter] *comes] .
        1| [nsubj Children] *catch [obj it] [obl in jars] .
        """,
    "pet fact": """
        3| [nsubj Many families] *keep [obj one] [obl at home/NOUN] .
        2| [nsubj It] *likes [xcomp to sleep] [obl in the sun] .
        2| [nsubj It] *sleeps [obl by the fire/fire.hearth] [obl in winter] .
        """,
    "farm_animal fact": """
        3| [nsubj Many farmers] *keep [obj {x.plural}] .
        2| [obl At market/NOUN] [nsubj a good *{x}] *costs/VERB [obj {n.word:numbers} *crowns/crown.coin] .
        2| [nsubj It] *knows [obj its name/NOUN] .
        """,
    "wild_animal fact": """
        3| [nsubj It] *hides/hide [advcl when [nsubj it] *hears [obj people]] .
        2| [nsubj One] seldom/ADV *sees [obj it] [obl by day] .
        """,
    "animal owner": """
        3| [nsubj {p.full} [nmod of {p.town}]] *has [obj a {x} [acl called/VERB [xcomp {p.pet}]]] .
        2| [nsubj A [amod famous] *{x}] is {p.pet} , [acl:relcl [obj which] [nsubj {p.full}] *owns/VERB] .
        """,
    "animal remark": """
        2| [nsubj Children] *like/VERB [xcomp to draw/draw.picture [obj it]] .
        2| [nsubj There/PRON] *is [nsubj an old *song [nmod about a {x}]] .
        2| [nsubj A picture [nmod of a {x}]] *hangs [obl in the {b:building} [nmod of {t:towns}]] .
        1| [nsubj Nobody] has ever/ADV *taught [iobj a {x}] [xcomp to read/VERB] .
        1| [nsubj The {x}] never *says [ccomp thank/VERB [obj you]] .
        """,
    "kind": """
        4| [nsubj {k.plural}] are {up.plural} [nmod with {a.plural} [conj and {b.plural}]] .
        2| [nsubj A {k}] is a *{up} [nmod with {a.plural} [conj and {b.plural}]] .
        """,
    "kind members": """
        3| [nsubj The {x} , [conj the {y}] [conj and the {z}]] are {k.plural} .
        2| [nsubj {x.plural} , [conj {y.plural}] [conj and {z.plural}]] are {k.plural} .
        """,
    "kind bird": """
        2| [nsubj Most birds] *can fly/fly.move .
        1| [nsubj Birds] *lay/VERB/lay [obj eggs] [obl in nests/NOUN] .
        """,
    "kind fish": """
        2| [nsubj Fish/NOUN] *live/VERB [obl in rivers , [conj lakes] [conj and the sea]] .
        1| [nsubj Fish/NOUN] *can not walk/VERB .
        """,
    "kind insect": """
        2| [nsubj Insects] *have [obj six legs] .
        1| [nsubj:pass Insects] are *eaten [obl by birds] .
        """,
    "kind tree": """
        2| [nsubj Trees] *grow/VERB [advmod slowly] .
        1| [nsubj Trees] *lose [obj their *leaves/NOUN] [obl in autumn] .
        """,
    "kind flower": """
        2| [nsubj Flowers] *need/VERB [obj water/NOUN [conj and sunshine]] .
        1| [nsubj Flowers] *smell/VERB [xcomp sweet/ADJ] .
        """,
    "plant remark": """
        2| [nsubj A picture [nmod of a {x}]] *hangs [obl in the {b:building} [nmod of {t:towns}]] .
        2| [nsubj {p.first:children}] has *drawn/draw.picture [obj a {x}] [obl for {p.his} *teacher] .
        1| [nsubj The *inn [nmod in {t:towns}]] is *called/VERB [xcomp the Golden/PROPN *{x^}] .
        """,
    "tree": """
        5| [nsubj The {x}] is a *tree [acl:relcl [nsubj that] *grows [obl {home}]] .
        3| [nsubj {x.plural}] are trees .
        2| [nsubj {x.plural}] *grow/VERB [obl {home}] .
        """,
    "tree use": """
        4| [nsubj People] *make/VERB [obj {use}] [obl from its *wood/wood.material] .
        3| [nsubj Its *wood/wood.material] is *good [obl for {use}] .
        2| [nsubj:pass {use}] are *made [obl of {x} *wood/wood.material] .
        """,
    "tree fact": """
        3| [nsubj Its *bark/bark.tree] is {q:bark_quality} .
        2| [nsubj Its *leaves/NOUN/leaf] are {c:leaf_colour} [obl in autumn] .
        2| [nsubj {b.plural:bird}] *build/VERB [obj nests/NOUN] [obl in its *branches/branch.tree] .
        2| [nsubj Its *trunk/trunk.tree] is *as/ADV thick [obl as/ADP a {f:house_part}] .
        2| [nsubj An old *{x}] *stands [obl beside the {b:building} [nmod in {t:towns}]] .
        1| [nsubj Some] are [obl:npmod two hundred *years] old .
        """,
    "flower": """
        4| [nsubj A {x}] is a {c} *flower .
        3| [nsubj The {x}] is a *flower [acl:relcl [nsubj that] *grows [obl {home}]] .
        2| [nsubj The {x}] is a *flower [nmod with {c} *petals] .
        """,
    "flower season": """
        3| [nsubj It] *opens/VERB [obl in {s}] .
        3| [nsubj {x.plural}] *are out/ADV [obl in {s}] .
        2| [obl In {s}] [nsubj the *{h.plural}] are *{c} [obl with {x.plural}] .
        """,
    "flower home": """
        3| [nsubj It] *grows [obl {home}] .
        2| [nsubj One] *can find [obj it] [obl {home}] .
        """,
    "flower colour": """
        3| [nsubj It] is {c} .
        2| [nsubj Its *petals] are {c} .
        """,
    "flower fact": """
        3| [nsubj {p.full:adults} , [appos a {p.trade} [nmod in {p.town}]] ,] *grows [obj {x.plural}] .
        2| [nsubj Bees] *love/VERB [obj it] .
        2| [nsubj Children] *pick/pick.gather [obj {x.plural}] [obl for their *mothers] .
        1| [nsubj A bunch/NOUN [nmod of {x.plural}]] *makes [obj anyone] [xcomp happy] .
        """,
    "fruit": """
        4| [nsubj {x.plural}] are a *fruit .
        3| [nsubj The {x}] is a {c} *fruit .
        2| [nsubj A {x}] is a *fruit [acl:relcl [nsubj that] *grows [obl in {h.plural:fruit_place}]] .
        """,
    "vegetable": """
        4| [nsubj {x.plural}] are a *vegetable .
        3| [nsubj The {x}] is a {c} *vegetable .
        2| [nsubj A {x}] is a *vegetable [acl:relcl [nsubj that] *grows [obl in the ground/NOUN]] .
        """,
    "fruit fact": """
        3| [nsubj People] *make/VERB [obj {d:fruit_product}] [obl from {x.plural}] .
        2| [nsubj A ripe/ADJ *{x}] is {c} .
        2| [nsubj {p.full:people} [nmod of {p.town}]] *likes [obj {x.plural}] [advmod more/ADV [obl than bread]] .
        2| [nsubj A bowl/bowl.dish [nmod of {x.plural}]] *stands [obl on the table/table.furniture] .
        1| [obl In a good year] [nsubj there/PRON] *are [nsubj *enough/ADJ {x.plural}] [obl for everybody] .
        """,
    "vegetable fact": """
        3| [nsubj Cooks/NOUN] *put/VERB [obj {x.plural}] [obl into soup [conj and stew]] .
        2| [nsubj A fresh *{x}] is {c} .
        2| [nsubj {p.full:adults} [nmod of {p.town}]] *grows [obj {x.plural}] [obl behind the house] .
        2| [nsubj {a.plural:farm_animal}] *eat/VERB [obj {x.plural}] [advmod too/ADV] .
        1| [nsubj A *kilo [nmod of {x.plural}]] *costs/VERB [obj {n.word:numbers} *pence] .
        """,
}

# The hypernyms with an entry of their own: what they are, and two parts that they have.
_BIG = {
    "bird": ("animal", "wing", "feather"),
    "fish": ("animal", "fin", "scale"),
    "insect": ("animal", "wing", "feeler"),
    "tree": ("plant", "trunk", "branch"),
    "flower": ("plant", "petal", "stem"),
}
_ANIMALS = ("pet", "farm_animal", "wild_animal", "bird", "fish", "insect")
_SPECIES = Choice(_ANIMALS, [3, 4, 6, 6, 2, 3])
_FIRST = Choice(("animal, home", "animal, food", "animal, trait", "animal"), (3, 2, 3, 2))
_KINDS = Choice(tuple(_BIG))
_PLANTS = Choice(("tree", "flower", "fruit", "vegetable"))


def home(w, x):
    """The phrase for where an animal or a plant lives: *in forests*, *by rivers*."""
    name = x.home
    if name in _NEAR:
        way = _NEAR[name]
    else:
        way = "on" if name in _ON else "under" if name == "roof" else "in"
    return w.phrase(f"home {way}", h=w.lexicon.find(name))


@cache
def _larger_and_smaller(lexicon):
    """For each size the animals a little above and below it, as Choices (None if there is none)."""
    animals = [x for cls in _ANIMALS if cls != "insect" for x in lexicon[cls]]
    out = {}
    for size in range(1, 10):
        above = [x for x in animals if size < int(x.size) <= size + 3]
        below = [x for x in animals if size > int(x.size) >= size - 3]
        out[size] = (Choice(above) if above else None, Choice(below) if below else None)
    return out


def animal(w):
    """An entry on an animal."""
    cls = w.pick(_SPECIES)
    x = w.word(cls)
    w.topic = "nature"
    facts = {"x": x, "kind": w.lexicon.find(w.lexicon.hypernyms[cls])}
    facts |= {"home": home(w, x), "food": food(w.lexicon, x)}
    facts["trait"] = w.lexicon.find(x.trait, "ADJ")
    first = w.pick(_FIRST)
    w.say(first, **facts)
    w.fact(x, "is a", facts["kind"])
    told = {"animal, home": _home, "animal, food": _food, "animal, trait": _trait}.get(first)
    aspects = [a for a in (_home, _food, _trait) if a is not told] + [_size, _fact, _remark]
    aspects += [_young] if "young" in x.tags else []
    aspects += [_voice] if "voice" in x.tags else []
    aspects += [_owner] if x in w.world.owners_of else []
    for aspect in w.each(aspects, least=3):
        aspect(w, x, facts)


@cache
def food(lexicon, x):
    """What an animal eats, as one speaks of it: *grass*, *worms*."""
    return things(lexicon.find(x.eats))


def _home(w, x, facts):
    w.say("animal home", **facts)
    w.fact(x, "lives in", x.home)


def _food(w, x, facts):
    w.say("animal food", **facts)
    w.fact(x, "eats", x.eats)


def _trait(w, x, facts):
    w.say("animal trait", **facts)
    w.fact(x, "is", x.trait)


def _young(w, x, facts):
    w.say("animal young", **facts)
    w.fact(x, "young", x.young)


def _voice(w, x, facts):
    w.say("animal voice", v=w.lexicon.word("voice", x.voice), **facts)


def _size(w, x, facts):
    above, below = _larger_and_smaller(w.lexicon)[int(x.size)]
    if below and (not above or w.chance(50)):
        other = w.pick(below)
        w.say("animal bigger", o=other, **facts)
        w.fact(x, "is bigger than", other)
    else:
        other = w.pick(above)
        w.say("animal smaller", o=other, **facts)
        w.fact(other, "is bigger than", x)


def _fact(w, x, facts):
    w.say(f"{x.cls} fact", **facts)


def _owner(w, x, facts):
    p = w.pick(w.world.owners_of[x])
    w.say("animal owner", p=p, **facts)
    w.fact(p, "pet", p.pet)


def _remark(w, x, facts):
    w.say("animal remark", **facts)


def plant(w):
    """An entry on a tree, a flower, a fruit or a vegetable."""
    cls = w.pick(_PLANTS)
    x = w.word(cls)
    w.topic = "nature"
    facts = {"x": x}
    if "home" in x.tags:
        facts |= {"home": home(w, x), "h": w.lexicon.find(x.home)}
    if "colour" in x.tags:
        facts["c"] = w.lexicon.word("colour", x.colour)
        w.fact(x, "colour", x.colour)
    if "season" in x.tags:
        facts["s"] = w.lexicon.word("season", x.season)
    if "use" in x.tags:
        facts["use"] = things(w.lexicon.find(x.use))
    w.say(cls, **facts)
    w.fact(x, "is a", cls)
    names = {
        "tree": ("tree use", "tree fact"),
        "flower": ("flower season", "flower home", "flower colour", "flower fact"),
        "fruit": ("fruit fact",),
        "vegetable": ("vegetable fact",),
    }[cls]
    for name in w.each(names, least=2, stop=40):
        w.say(name, **facts)
    if w.chance(50):
        w.say("plant remark", **facts)


def species(w):
    """An entry on a class of living things."""
    k = w.pick(_KINDS)
    up, a, b = _BIG[k]
    w.topic = "nature"
    facts = {"k": w.lexicon.word("creature_kind", k), "up": w.lexicon.word("creature_kind", up)}
    w.say("kind", a=_part(w, a), b=_part(w, b), **facts)
    w.fact(k, "is a", up)
    x = w.word(k)
    y = w.word(k, without=[x])
    z = w.word(k, without=[x, y])
    w.say("kind members", x=x, y=y, z=z, **facts)
    for member in (x, y, z):
        w.fact(member, "is a", k)
    if w.chance(70):
        w.say(f"kind {k}", **facts)


def _part(w, name):
    cls = "plant_part" if name in ("trunk", "branch", "petal", "stem") else "body_part_animal"
    return w.lexicon.word(cls, name)
