"""What a panorama, an overlap and a warp are scored by; docs/evaluate.md has the formulas.

panorama           a panorama against its two pictures: content kept, ghosts, seams, stretch
overlap            the two warped pictures against each other: PSNR, SSIM
photographed_warp  a warp against the ground truth of a real pair, `gt.npz`
generated_warp     a warp against the exact truth of a generated pair
generated_stitch   a panorama against the exact truth of a generated pair
registration       where one picture's content is in another; parts: feature_view, thin_plate_spline
similarity         SSIM, PSNR and brightness fits
"""
