"""From two aligned pictures to the panorama: gain, blend weight, multi-band composition."""
