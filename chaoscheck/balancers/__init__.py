"""Who routes a request."""
