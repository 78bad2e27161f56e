"""The running system: the supervisor, the processes it starts, and what it does with their work."""
