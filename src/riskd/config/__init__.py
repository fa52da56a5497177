"""Configuration: one file, read whole or refused whole, every mistake with its line."""
