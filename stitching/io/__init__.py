"""Files in and out: pictures with their metadata, warps, written whole or not at all."""
