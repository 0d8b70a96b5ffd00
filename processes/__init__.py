"""One operating-system process each: a stage, its edges, and a ``main`` of one statement."""
