"""Backtests: recordings played through the live stage classes for every set of parameters, and what came of it."""
