"""The sender: N identical processes that turn due instants into mail, each mail once."""
