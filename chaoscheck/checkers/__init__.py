"""From a history to verdicts, purely."""
