"""Files that a trader can export or record: fills, prices, fees. Pure readers: bytes in, values out."""
