"""Where all pictures of a set lie: one joint adjustment of what their pairs say."""
