"""Cost models: how long operators take on a device."""
