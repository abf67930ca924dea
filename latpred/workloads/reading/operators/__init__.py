"""Calls of ATen's operators as nodes of the readers' graph."""
