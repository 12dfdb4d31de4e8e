"""The auditor: recomputes from the definitions what should have happened, and names what did not."""
