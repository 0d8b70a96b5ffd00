"""Bringing data in, from a program: the market catalogue and order books."""
