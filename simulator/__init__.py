"""The simulator: stands in for the providers. It speaks their dialects, fails on demand, and remembers every mail."""
