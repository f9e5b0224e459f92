"""Multi-task optimizers for any PyTorch model.

strategies/ holds methods that decide how the tasks' gradients move the parameters, weightings/ methods that only weigh
the losses and leave the update to a strategy; both implement `mtl.strategy.Strategy` and get a name in `registry.py`.
"""
