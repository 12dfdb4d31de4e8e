"""The REST API: the only writer of definitions, and the window on what became of them."""
