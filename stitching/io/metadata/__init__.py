"""Metadata of picture files: read from JPEG, PNG, WebP and TIFF, adapted to an upright panorama, embedded again.

OpenCV codes the pixels only. Its metadata functions know no TIFF, return no XMP from a JPEG, fail on PNG colour
profiles that libpng rejects, and keep the orientation. Walking over the parts of a file also finds files that are
cut short, which some decoders return with grey pixels.
"""
