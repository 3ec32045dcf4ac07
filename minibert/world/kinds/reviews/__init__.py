"""What reviews are made of: one TOML file for each thing reviewed, and the words of praise and blame."""
