"""Recordings as things to handle: listed, examined, cut, merged and converted."""
