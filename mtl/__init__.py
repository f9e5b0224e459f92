"""Multi-task optimizers: usable with any PyTorch model; what one is: `mtl.strategy.Strategy`."""
