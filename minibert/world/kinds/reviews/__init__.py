"""What reviews are made of: a TOML file for each thing reviewed, and how to read them."""
