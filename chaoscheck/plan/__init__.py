"""The plan a user writes, validated and frozen."""
