"""The plumbing: who sends what to whom, messages as bytes, the sockets of a role, the loop that turns a stage."""
