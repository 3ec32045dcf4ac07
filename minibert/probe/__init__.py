"""What representations capture and what models do: probes, behaviour, interventions, attribution.

``word_states``: the hidden states of any model, a row a word. ``remembered``: those of a session.
``classify``, ``linear``, ``mlp``: probes of labels. ``by_layer``: one for each layer and for the
mix. ``control``: what deflates a probe: control tasks, baselines, random weights. ``description``:
how many bits the labels take. ``pairs``: pairs of words as rows. ``structural``: trees in
distances. ``scoring``, ``behaviour``: log p of sentences by any language model, minimal pairs.
``places``, ``changes``: read and change a model while it runs. ``attribution``: which tokens a
score comes from. ``units``: single units against labels. ``looking``: attention heads against
dependencies.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
