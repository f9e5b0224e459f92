"""OpenCV's own Stitcher as one process: python -m apps.evaluation.programs.opencv MODE PICTURE PICTURE ... OUTPUT."""

import sys

import cv2

_REASONS = {
    cv2.STITCHER_ERR_NEED_MORE_IMGS: "not enough matches (ERR_NEED_MORE_IMGS)",
    cv2.STITCHER_ERR_HOMOGRAPHY_EST_FAIL: "no homography (ERR_HOMOGRAPHY_EST_FAIL)",
}


def main(mode: str, *paths: str) -> int:
    """Stitch with mode "panorama" or "scans" at its defaults; the last path is the output. Returns the exit code."""
    stitcher = cv2.Stitcher.create(cv2.STITCHER_PANORAMA if mode == "panorama" else cv2.STITCHER_SCANS)
    *inputs, output = paths
    pictures = [picture for path in inputs if (picture := cv2.imread(path)) is not None]
    status, panorama = stitcher.stitch(pictures)
    if status != cv2.STITCHER_OK:
        print(_REASONS.get(status, "cameras not adjusted (ERR_CAMERA_PARAMS_ADJUST_FAIL)"))
        return 1
    print(f"pictures used: {len(stitcher.component())}")
    cv2.imwrite(output, panorama)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
