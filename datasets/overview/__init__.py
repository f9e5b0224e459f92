"""What a data set looks like: figures, histograms, a contact sheet."""
