"""The exercises and the quiz of chapter 02, ELMo, in seven parts."""

from minibert.course.learn.exercises import (
    bilm_both_ways,
    ch02_bilm,
    ch02_fit,
    ch02_layers,
    ch02_lstm,
    ch02_mix,
    ch02_quiz,
)

__all__ = [
    "ch02_bilm",
    "bilm_both_ways",
    "ch02_fit",
    "ch02_layers",
    "ch02_lstm",
    "ch02_mix",
    "ch02_quiz",
]
