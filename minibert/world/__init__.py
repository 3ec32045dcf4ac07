"""The embedded world: a small fixed world, and text about it whose entropy is known exactly."""
