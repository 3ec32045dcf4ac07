"""Conversations between two personas: what they say, and who takes which turn."""
