"""How much the page takes."""

MAX_PICTURES = 500  # uploaded ones and those of the folder
MAX_FILE_BYTES = 1 << 30  # of one picture
MAX_UPLOAD_BYTES = 4 << 30  # of all pictures that were uploaded
MAX_MASK_BYTES = 32 << 20
MAX_JSON_BYTES = 64 << 10

VIEW_SIDE, THUMBNAIL_SIDE = 1600, 240  # px, the longer side of a picture on the screen
COPY_MEGAPIX = 0.6  # of the copy of a picture that previews are stitched from
PREVIEW_MEGAPIX = 0.3
PREVIEW_WORK_MEGAPIX = 0.2  # of each of many pictures: two thirds of the time; at 0.1 other pictures were left out
