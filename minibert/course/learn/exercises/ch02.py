"""The exercises and the quiz of chapter 02, ELMo, in seven parts."""

from minibert.course.learn.exercises import (
    ch02_bilm,
    ch02_build,
    ch02_fit,
    ch02_layers,
    ch02_lstm,
    ch02_mix,
    ch02_quiz,
)

__all__ = [
    "ch02_bilm",
    "ch02_build",
    "ch02_fit",
    "ch02_layers",
    "ch02_lstm",
    "ch02_mix",
    "ch02_quiz",
]
