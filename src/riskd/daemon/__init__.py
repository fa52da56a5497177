"""The shell: connects the core to broker, disk, clock and people, and keeps it running."""
