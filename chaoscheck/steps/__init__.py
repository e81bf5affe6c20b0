"""From an action of the plan to requests, and from answers to outcomes."""
