"""``archivae archive POLICY``: what is old enough goes into the archive; originals stay, or go once that is safe."""
