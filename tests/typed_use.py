"""What a type checker knows of the public face: mypy reads this file, and nothing runs it."""

from typing import assert_type

import numpy as np
import torch

import minibert as mb

vocab = mb.text.Vocab.train(["a dog barks"], size=10)
assert_type(vocab, mb.text.Vocab)
assert_type(vocab.encode("a dog"), list[int])
assert_type(vocab.encode("a dog", offsets=True), tuple[list[int], list[tuple[int, int]]])
pieces = mb.text.WordPiece.train(["a dog"], 20)
assert_type(pieces.encode("a dog", specials=True), list[int])
assert_type(pieces.decode(pieces.encode("a dog")), str)
tokenizers: list[mb.text.Tokenizer] = [vocab, pieces, mb.text.BPE.train(["a dog"], 300)]
framing = mb.text.Framing(vocab, first_new=len(vocab))
batches: mb.text.Batches = mb.text.ArrayBatches(2, x=np.arange(4))

corpus = mb.world.generate(tokens=1000, seed=0)
assert_type(corpus.floor, float)
assert_type(mb.world.task("ner").train, list[mb.world.tasksets.Example])
assert_type(mb.data.datasets(), list[mb.data.catalogue.Listing])
assert_type(mb.show.bars({"a": 1.0}).alt, str)
assert_type(mb.device(), torch.device)

head = mb.heads.SequenceClassifier(mb.BERT(mb.BERTConfig()), ["no", "yes"], pooling="mean")
assert_type(head.predict(["a dog"]), mb.heads.Predictions)
assert_type(mb.heads.Tagger.from_pretrained("folder"), mb.heads.Tagger)
assert_type(mb.heads.span_f1([["O"]], [["O"]]), float)
