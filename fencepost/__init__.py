"""The domain of Fencepost and its adapters: a library with no process, no web framework and no globals."""
