"""Speed and quality, side by side with the peers in one run; nothing in the tests asserts a time."""
