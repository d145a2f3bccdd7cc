"""What providers call: stored and applied in one unit of work, then answered."""
