"""A page on loopback that shows the result while it is made and lets it be changed: headless OpenCV has no windows."""
