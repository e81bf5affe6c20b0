"""A small web shop to calibrate on: one setting decides whether its instances hold state."""
