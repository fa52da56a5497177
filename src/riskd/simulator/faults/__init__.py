"""Faults on demand: rules read from a file or a control call, and a seeded plan of them."""
