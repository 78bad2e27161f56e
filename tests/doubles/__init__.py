"""Real things made small, for tests: a scripted model behind real HTTP, and a scripted agent that is a real process."""
