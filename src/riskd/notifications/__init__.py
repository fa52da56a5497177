"""Tells people what happened, through any channel, without ever delaying enforcement."""
