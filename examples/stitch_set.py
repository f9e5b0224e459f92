"""Stitch all pictures of a folder, in any order: python stitch_set.py FOLDER OUTPUT."""

import sys
from pathlib import Path

from stitching import Options, stitch_many, summarize_mosaic
from stitching.io.picture_writer import write_picture

folder, output = sys.argv[1:]
paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".tif"))
panorama = stitch_many(paths, Options(final_megapix=20))

summary = summarize_mosaic(panorama)
print("shown:", ", ".join(Path(picture.name).name for picture in summary.pictures))
for left_out in panorama.left_out:
    print(f"left out: {left_out.name} {left_out.reason}")
write_picture(output, panorama.panorama, panorama.alpha, panorama.metadata)
