"""From a result to what people and CI systems read."""
