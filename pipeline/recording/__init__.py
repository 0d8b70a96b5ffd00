"""Everything from outside, kept as it came: written, read back and played."""
