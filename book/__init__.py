"""The static site: `make book` turns chapters, glossary, docs and docstrings into pages."""
