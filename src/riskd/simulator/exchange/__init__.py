"""The sans-I/O exchange: what a broker keeps, and what it does with it."""
