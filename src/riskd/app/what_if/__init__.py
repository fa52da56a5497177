"""Asking before trading: what an order would lead to, from what the daemon has written down."""
