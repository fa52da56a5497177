"""Looking at a configuration and writing it: what is wrong with it, how it is written, and ready-made parts of it."""
