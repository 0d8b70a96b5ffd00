"""The library: words, domain, bus and edges. Everything here can be tested without starting a process."""
