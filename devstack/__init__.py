"""Starts and stops servers and Fencepost's own processes on one machine."""
