"""What is measured about a run: test scores, how well wrong labels are found, memory."""
