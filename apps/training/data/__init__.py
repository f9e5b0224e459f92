"""What a training learns from: examples, their order, batches."""
