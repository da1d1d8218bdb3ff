"""Restorers: noise, JPEG's artefacts, holes and darkness taken out of pictures, each by a small network of one shape."""
