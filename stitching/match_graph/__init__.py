"""Which pictures of a set show the same: features once for each picture, and the pairs whose matches are verified."""
