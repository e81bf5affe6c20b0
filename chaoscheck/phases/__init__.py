"""The parts of a run, one module each, in the order of run.py."""
