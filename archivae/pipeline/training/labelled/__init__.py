"""Small labelled pictures for training: IDX files, folders by class, and either of them in a zip."""

from archivae.pipeline.training.labelled.pictures import LabelledPictures
from archivae.pipeline.training.labelled.sources import load_labelled

__all__ = ["LabelledPictures", "load_labelled"]
