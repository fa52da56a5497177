"""Replay: a trader's exported days through the same core that protects the live account."""
