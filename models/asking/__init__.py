"""Asking: which examples of a day are worth a label, and how many of the day's each label stands for. Pure.

candidates ─┬─► teaching   where a label teaches most       weight 1: each stands for itself alone
            └─► design     all others, drawn by chance      weight: 1 over the chance
                                 └─► Asked, both mixed, so that one may stop anywhere
requests of one day ─► weights of them together
"""

from models.asking.asking import RANDOM_SHARE, ask
from models.asking.candidate import Candidate
from models.asking.weights import reach_of, weights_of

__all__ = ["RANDOM_SHARE", "Candidate", "ask", "reach_of", "weights_of"]
