"""Files read and written: pictures with their metadata, warps. A file is written completely or not at all."""
