"""The tricks of speed, each in a module of its own and held equal to the version to read by a test.

``sgns``: word2vec's skip-gram with negative sampling in blocks. ``softmax``: a linear layer and the
cross-entropy over a large vocabulary, in chunks. ``dropout``: several draws from one random number.
``elmo``: words spelled once, both directions of an LSTM with projection in one go.
``transformer``: no padding, and the last layer only where it is read.
"""
