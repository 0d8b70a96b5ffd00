"""Orders, risk, fees and the portfolio. Pure."""
