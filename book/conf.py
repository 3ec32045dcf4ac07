"""Sphinx's configuration. `make book` builds build/book/source (see `pages`) into build/book/html.

The setting ``repository`` is the address that Binder is sent to and that files outside the book
are linked at, such as https://github.com/OWNER/NAME. Where neither the variable
MINIBERT_REPOSITORY nor git's remote "origin" tells it, no address is made up: the Binder buttons
then lead to the page that says how to give Binder one.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from book import docstrings, pages  # noqa: E402

project = "minibert"
author = "The minibert authors"
copyright = "the minibert authors; code under MIT, prose under CC BY 4.0"
language = "en"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
]

nb_execution_mode = "off"  # the notebooks' stored outputs are shown
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 80

html_theme = "sphinx_book_theme"
html_title = "minibert"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_copy_source = False  # the download button gives the notebook as it is in the repository
html_show_sourcelink = False
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system says
html_theme_options = {
    "navbar_persistent": [],  # the search field stands in the sidebar
    "use_download_button": False,
    "home_page_in_toc": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
mathjax_path = f"{pages.MATHJAX}/tex-chtml-full.js"  # a copy of our own: see `pages.add_assets`


def setup(app):
    app.add_config_value("repository", pages.repository(ROOT), "html")
    app.connect(
        "config-inited",
        lambda app, config: pages.stage(ROOT, Path(app.srcdir), config.repository),
    )
    app.connect("doctree-read", pages.describe_pictures)
    app.connect("doctree-read", pages.keep_from_search)
    app.connect("autodoc-process-docstring", docstrings.process)
    app.connect("build-finished", pages.add_assets)
