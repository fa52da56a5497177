"""The core: a deterministic state machine, one event in, commands out."""
