"""chaoscheck: can you kill -9 any instance, at any time, and no user notices?"""

__version__ = "0.1.0"
