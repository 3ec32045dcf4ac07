"""Speed and quality beside the peers, in one run; nothing in the tests asserts a time."""
