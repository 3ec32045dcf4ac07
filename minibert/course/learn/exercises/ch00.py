"""The exercises and the quiz of chapter 00, start here, in three parts."""

from minibert.course.learn.exercises import ch00_counts, ch00_model, ch00_quiz

__all__ = ["ch00_counts", "ch00_model", "ch00_quiz"]
