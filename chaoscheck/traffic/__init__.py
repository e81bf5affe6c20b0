"""Sessions of users, in worker processes."""
