"""Devices: their parameters, where these are from, and what was measured of them."""
