"""The rules that a trader can set: one file each, all loaded through the registry."""
