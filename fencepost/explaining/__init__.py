"""Why a mail is not sent yet, or why nothing came at an instant: the gates on its way, in order, and the first that holds. Pure."""

from fencepost.explaining.gates import Explanation, Gate, explanation

__all__ = ["Explanation", "Gate", "explanation"]
