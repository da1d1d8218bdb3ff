"""The jobs behind ``archivae train``: pictures in, checkpoints, reports and weight files out."""
