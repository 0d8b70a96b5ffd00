"""The ground every room stands on: units, clocks, errors, log events and configuration."""
