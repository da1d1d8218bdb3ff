"""``archivae estimate``: what an archive would save and cost, from a listing, a sample and a file of prices."""
