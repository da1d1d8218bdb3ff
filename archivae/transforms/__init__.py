"""The Beam transforms: thin, each a plain function mapped over a collection of `Item`."""

from archivae.transforms.decode import DecodeImages
from archivae.transforms.embed import EmbedImages, WriteVectors
from archivae.transforms.encode import EncodeImages
from archivae.transforms.item import Item
from archivae.transforms.plan import Job, PlanWork
from archivae.transforms.read import ReadImages, ReadObjects
from archivae.transforms.restore import RestoreImages
from archivae.transforms.transform import TransformImages
from archivae.transforms.write import WriteImages

__all__ = [
    "DecodeImages",
    "EmbedImages",
    "EncodeImages",
    "Item",
    "Job",
    "PlanWork",
    "ReadImages",
    "ReadObjects",
    "RestoreImages",
    "TransformImages",
    "WriteImages",
    "WriteVectors",
]
