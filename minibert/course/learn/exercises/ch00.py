"""The exercises and the quiz of chapter 00, start here, in three parts."""

from minibert.course.learn.exercises import ch00_counts, ch00_quiz, ngram_model

__all__ = ["ch00_counts", "ngram_model", "ch00_quiz"]
