"""Carriers of attempts, behind one contract."""
