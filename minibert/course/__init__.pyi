from . import author as author
from . import learn as learn
from . import teach as teach
from .learn.checking import check as check
from .learn.d2l import d2l as d2l
from .learn.finding import findings as findings
from .learn.helping import hint as hint
from .learn.helping import quiz as quiz
from .learn.helping import solution as solution
from .learn.listing import source as source
from .learn.overview import chapters as chapters
from .learn.overview import progress as progress
from .learn.using import use as use

__all__ = [
    "author",
    "chapters",
    "check",
    "d2l",
    "findings",
    "hint",
    "learn",
    "progress",
    "quiz",
    "solution",
    "source",
    "teach",
    "use",
]
