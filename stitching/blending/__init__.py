"""From two aligned pictures to the panorama: gain, blend weight, composition at full size, crop."""
