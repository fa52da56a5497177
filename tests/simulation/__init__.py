"""Random trading days on the simulated exchange, against the real core, with every fault a broker can have.

One seed decides everything: prices, traders, faults and their moments. ``python -m tests.simulation --help``.
"""
