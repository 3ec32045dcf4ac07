"""What an author needs: notebooks from sources, executed, linted and measured."""
