"""Measurements: what to time, the rows, fits to them, and how far predictions are off."""
