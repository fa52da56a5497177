"""Local commands and the entry points of the console scripts."""
