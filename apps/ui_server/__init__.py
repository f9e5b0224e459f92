"""The server of `parastitch ui`: a local page to work on."""
