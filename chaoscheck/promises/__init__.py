"""What a session does for each kind of promise."""
