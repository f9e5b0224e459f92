"""The type of named losses, which all files of losses share."""

from torch import Tensor

Terms = dict[str, Tensor]  # name -> (); losses of each example alone: (b,)
