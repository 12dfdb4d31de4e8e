"""How the `fencepost` command finds the registry, and its key there: variables of whoever runs it, and settings of no process."""

URL, KEY, KEY_FILE = "FENCEPOST_URL", "FENCEPOST_KEY", "FENCEPOST_KEY_FILE"
ALL = frozenset({URL, KEY, KEY_FILE})
