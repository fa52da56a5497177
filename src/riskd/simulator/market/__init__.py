"""Prices: generated, recorded, merged, and told again as bars."""
