"""The batch renderer (`batch_renderer`, CPU or GPU) and the exact ground truth of what it renders (`ground_truth`)."""
