"""A first plan from what a service already says of itself: its folder, its routes, its API description, a recording."""
