"""Questions asked of many predictions: a module each."""
