"""HTML of a submission made harmless, for nbgrader's pages.

A student's text and outputs are shown in the teacher's browser, on the server that keeps the marks:
a script in them could give points. So what nbconvert makes of Markdown and of outputs is cleaned;
``nbgrader_config.py`` of a course puts `harmless` in place of nbconvert's filters.
"""

import bleach
from bleach.css_sanitizer import CSSSanitizer
from nbconvert.filters import strip_files_prefix

TAGS = frozenset(
    "a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption "
    "figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub "
    "summary sup table tbody td tfoot th thead tr tt u ul var".split()
)
ATTRIBUTES = {
    "*": ["class", "id", "style", "title", "align"],
    "a": ["href"],
    "img": ["src", "alt", "width", "height"],
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan", "scope"],
    "details": ["open"],
    "ol": ["start"],
}
PROTOCOLS = frozenset(["http", "https", "mailto", "data"])
STYLES = ["color", "font-weight", "font-style", "text-align", "padding", "margin", "border-left"]


def harmless(html: str) -> str:
    """The HTML without scripts, events, forms and styles that could hide or cover anything."""
    return bleach.clean(
        strip_files_prefix(str(html)),
        tags=TAGS,
        attributes=ATTRIBUTES,
        protocols=PROTOCOLS,
        css_sanitizer=CSSSanitizer(allowed_css_properties=STYLES),
        strip=True,
    )
