"""The Beam transforms: thin, each a plain function mapped over a collection of `Item`."""

from archivae.transforms.decode import DecodeImages
from archivae.transforms.encode import EncodeImages
from archivae.transforms.item import Item
from archivae.transforms.plan import Job, PlanWork
from archivae.transforms.read import ReadImages, ReadObjects
from archivae.transforms.restore import RestoreImages
from archivae.transforms.write import WriteImages

__all__ = [
    "DecodeImages",
    "EncodeImages",
    "Item",
    "Job",
    "PlanWork",
    "ReadImages",
    "ReadObjects",
    "RestoreImages",
    "WriteImages",
]
