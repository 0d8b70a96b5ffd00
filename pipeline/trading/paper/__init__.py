"""Matching on paper: what would have become of our orders in books that others made. Pure, so that backtests use it too."""
