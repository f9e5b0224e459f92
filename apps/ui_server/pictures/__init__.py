"""Pictures of the page: uploaded ones, those of the folder, their copies and masks."""
