"""What was planned, what happened, what it means: frozen data, standard library only."""
