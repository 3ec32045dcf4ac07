"""What people of each trade do: verb phrases that follow *she*, *the baker* or *a baker who*.

``does TRADE`` holds phrases for one person (*bakes bread and buns*). They fill a slot as a whole:
``[nsubj {p.he}] *{does} .``
"""

from minibert.world.words import Lexeme
from minibert.world.writer import Phrase, Writer

_DOES = {
    "farmer": """
        3| grows [obj wheat [conj and barley]]
        2| keeps [obj cows [conj and sheep]]
        1| ploughs/VERB [obj the fields] [obl in spring/spring.season]
        1| sells [obj eggs] [obl at the market]
    """,
    "baker": """
        3| bakes [obj bread [conj and buns]]
        2| gets [compound:prt up/ADV] [obl before dawn]
        1| sells [obj pies [conj and tarts]]
        1| makes [obj the best/ADJ/good cakes [nmod in the street]]
    """,
    "teacher": """
        3| teaches [iobj children] [xcomp to *read/VERB]
        2| marks/VERB [obj books/book.volume] [obl until midnight]
        1| answers/VERB [obj a hundred/NUM questions] [obl:tmod every day]
        1| writes [obj sums/NOUN] [obl on the board/NOUN]
    """,
    "carpenter": """
        3| makes [obj tables/table.furniture [conj and chairs]]
        2| works/VERB [obl with wood/wood.material]
        1| builds [obj shelves [nmod for the neighbours]]
        1| mends [obj doors [conj and windows]]
    """,
    "nurse": """
        3| looks [compound:prt after] [obj sick/ADJ people]
        2| works/VERB [obl at night]
        1| gives [iobj people] [obj their medicine/NOUN]
        1| sits [obl beside the beds/bed.furniture] [obl of [amod sick/ADJ] children]
    """,
    "miller": """
        3| grinds/VERB [obj corn] [obl into flour]
        2| carries [obj sacks/NOUN [nmod of flour]]
        1| watches/watch.look [obj the wind] [obl:tmod all day]
    """,
    "fisherman": """
        3| catches [obj herring [conj and cod]]
        2| sails/VERB [obl before sunrise]
        1| mends [obj nets/NOUN/net/net.fishing] [obl by the harbour]
        1| sells [obj fish] [obl on the beach]
    """,
    "doctor": """
        3| helps/VERB [obj people [acl:relcl [nsubj who] are ill]]
        2| visits/VERB [obj sick/ADJ people] [obl in their houses]
        1| carries [obj a black bag]
        1| listens [obl to hearts [conj and coughs/NOUN]]
    """,
    "shopkeeper": """
        3| sells [obj tea , [conj soap [conj and string]]]
        2| stands [obl behind a counter] [obl:tmod all day]
        1| knows [obj the price [nmod of everything]]
        1| weighs/VERB [obj sugar [conj and flour]]
    """,
    "tailor": """
        3| makes [obj coats [conj and jackets]]
        2| sews [obl with a long/ADJ *needle]
        1| mends [obj old clothes/NOUN]
    """,
    "blacksmith": """
        3| makes [obj horseshoes/NOUN [conj and hammers]]
        2| works/VERB [obl with iron/iron.metal [conj and fire/fire.hearth]]
        1| mends [obj ploughs/NOUN [conj and gates]]
    """,
    "cook": """
        3| makes [obj soup [conj and stew]]
        2| cooks/VERB/cook [obj supper [nmod for fifty/NUM people]]
        1| peels/VERB [obj potatoes] [obl:tmod all morning]
        1| knows [obj a hundred/NUM recipes]
    """,
    "gardener": """
        3| grows [obj roses/rose.flower [conj and cabbages]]
        2| waters/VERB [obj the flowers] [obl in the evening]
        1| cuts/VERB [obj hedges [conj and grass]]
        1| digs [obl in all weathers/NOUN]
    """,
    "postman": """
        3| brings [obj letters/letter.mail [conj and parcels]]
        2| rides/VERB [obj a bicycle] [obl through the rain/NOUN]
        1| knows [obj every dog [nmod in the street]]
    """,
    "weaver": """
        3| makes [obj cloth/NOUN] [obl from wool]
        2| sits [obl at a loom]
        1| weaves [obj carpets [conj and scarves]]
    """,
    "librarian": """
        3| looks [compound:prt after] [obj books/book.volume]
        2| lends [obj books/book.volume] [obl to children]
        1| asks [iobj people] [xcomp to *be quiet/ADJ]
        1| knows [ccomp [advmod where] [nsubj every book/book.volume] *stands]
    """,
    "builder": """
        3| builds [obj houses]
        2| lays/VERB [obj bricks]
        1| repairs [obj roofs [conj and walls]]
    """,
    "driver": """
        3| drives [obj a bus]
        2| takes [obj people] [obl to work/NOUN] [obl:tmod every morning]
        1| knows [obj every road [nmod in the country]]
    """,
    "painter": """
        3| paints/VERB [obj pictures [nmod of the sea]]
        2| paints/VERB [obj hills [conj and clouds]]
        1| mixes/VERB [obj colours] [obl on an old plate]
    """,
    "musician": """
        3| plays/VERB/play/play.music [obj the violin]
        2| plays/VERB/play/play.music [obl at weddings]
        1| writes [obj songs]
        1| teaches [obj the piano]
    """,
    "shepherd": """
        3| looks [compound:prt after] [obj sheep]
        2| walks/VERB [obl across the hills] [obl with a dog]
        1| counts/VERB [obj lambs] [obl in spring/spring.season]
    """,
    "lawyer": """
        3| speaks [obl for people] [obl in court/court.law]
        2| reads/VERB [obj long/ADJ papers/NOUN]
        1| knows [obj the law]
    """,
    "clerk": """
        3| writes [obj letters/letter.mail]
        2| counts/VERB [obj money]
        1| works/VERB [obl at a [amod small] desk]
        1| stamps/VERB [obj papers/NOUN] [obl:tmod all day]
    """,
    "engineer": """
        3| builds [obj bridges]
        2| repairs [obj engines]
        1| draws/draw.picture [obj plans/NOUN [nmod of machines]]
    """,
    "dressmaker": """
        3| makes [obj dresses]
        2| sews [obj skirts [conj and shirts]]
        1| makes [obj every wedding *dress [nmod in the town]]
    """,
    "potter": """
        3| makes [obj plates [conj and bowls/bowl.dish]]
        2| works/VERB [obl with wet clay]
        1| bakes [obj pots] [obl in a hot oven]
    """,
    "butcher": """
        3| sells [obj meat [conj and sausages]]
        2| cuts/VERB [obj ham] [obl into slices/NOUN]
        1| sharpens/VERB [obj knives]
    """,
    "judge": """
        3| sits [obl in court/court.law]
        2| sends [obj thieves] [obl to prison/NOUN]
        1| listens [obl to long/ADJ *speeches]
        1| decides [ccomp [nsubj who] is *right/ADJ]
    """,
    "writer": """
        3| writes [obj books/book.work]
        2| sits [obl at a desk] [obl until dawn]
        1| fills [obj page [nmod after/ADP page]]
    """,
    "innkeeper": """
        3| serves/serve.food [obj soup [conj and beer]]
        2| has [obj beds/bed.furniture [nmod for ten/NUM travellers]]
        1| lights/VERB [obj the fire/fire.hearth] [obl:tmod every evening]
        1| hears [obj all the news [nmod first/ADV]]
    """,
    "sailor": """
        3| works/VERB [obl on a ship]
        2| sails/VERB [obl across the sea]
        1| ties/VERB [obj knots/NOUN]
        1| tells [obj stories [nmod about whales]]
    """,
    "midwife": """
        3| helps/VERB [xcomp to *bring [obj babies] [obl into the world]]
        2| visits/VERB [obj mothers] [obl at night]
        1| holds [obj babies] [advmod before/ADP anybody/PRON else]
    """,
    "clockmaker": """
        3| makes [obj clocks]
        2| repairs [obj watches/watch.clock]
        1| works/VERB [obl with [amod tiny] wheels]
    """,
    "reporter": """
        3| writes [obl for the newspaper]
        2| asks [obj questions]
        1| looks/VERB [obl for news]
        1| carries [obj a pen/pen.writing [conj and a notebook/NOUN]]
    """,
    "beekeeper": """
        3| keeps [obj bees]
        2| sells [obj honey]
        1| wears [obj a hat [nmod with a veil/NOUN]]
    """,
    "vet": """
        3| looks [compound:prt after] [obj sick/ADJ animals]
        2| visits/VERB [obj farms]
        1| knows [advmod how] [ccomp to *hold [obj an angry cat]]
    """,
    "photographer": """
        3| takes [obj photographs]
        2| takes [obj pictures [nmod of weddings]]
        1| asks [iobj people] [xcomp to smile/VERB]
    """,
    "plumber": """
        3| repairs [obj taps]
        2| mends [obj pipes/NOUN]
        1| lies/lie.rest [obl under sinks/NOUN]
    """,
    "hairdresser": """
        3| cuts/VERB [obj hair]
        2| washes [obj hair] [obl:tmod all day]
        1| listens [obl to everybody]
    """,
    "soldier": """
        3| marches/march.walk [obl in the rain/NOUN]
        2| guards/VERB [obj the castle]
        1| polishes [obj boots/boot.shoe]
    """,
    "actor": """
        3| acts/VERB [obl in films [conj and plays/play.stage]]
        2| stands [obl on the stage/stage.theatre]
        1| learns [obj long/ADJ speeches]
    """,
    "director": """
        3| makes [obj films]
        2| tells [obj actors] [advmod where] [xcomp to stand]
        1| sits [obl in a [amod folding/ADJ] chair/chair.seat]
    """,
}

_OTHER = """
    2| works/VERB [obl from morning [nmod to/ADP night]]
    1| knows [obj the work/NOUN] [advmod well]
    1| learns [obj something] [obl:tmod every day]
"""
TEMPLATES = {f"does {trade}": lines for trade, lines in _DOES.items()} | {"does other": _OTHER}


def does(w: Writer, trade: Lexeme, but: Phrase | None = None) -> Phrase:
    """A phrase for what people of a trade do; general where the trade has none of its own."""
    name = f"does {trade.name}"
    return w.phrase(name if name in TEMPLATES else "does other", but=but)
