"""What is written beside the panorama: the HTML report, aligned pictures, a picture of every stage."""
