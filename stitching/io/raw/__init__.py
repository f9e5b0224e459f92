"""RAW files of cameras and DNG: recognised here, developed by LibRaw (package rawpy, extra `[formats]`)."""
