"""Ways to take an instance away."""
