"""The Beam transforms: thin, each a plain function mapped over a collection of `Item`."""

from archivae.transforms.archive import PackShards, PlanMembers
from archivae.transforms.decode import DecodeImages
from archivae.transforms.embed import EmbedImages, WriteVectors
from archivae.transforms.encode import EncodeImages
from archivae.transforms.item import Item
from archivae.transforms.notified import ReadNotifications, TakeNotified
from archivae.transforms.plan import Job, PlanWork
from archivae.transforms.read import ReadImages, ReadObjects
from archivae.transforms.record import RecordRows
from archivae.transforms.restore import RestoreImages
from archivae.transforms.transform import TransformImages
from archivae.transforms.verify import PlanChecks, VerifyPictures, VerifyWhole
from archivae.transforms.write import WriteImages

__all__ = [
    "DecodeImages",
    "EmbedImages",
    "EncodeImages",
    "Item",
    "Job",
    "PackShards",
    "PlanChecks",
    "PlanMembers",
    "PlanWork",
    "ReadImages",
    "ReadNotifications",
    "ReadObjects",
    "RecordRows",
    "RestoreImages",
    "TakeNotified",
    "TransformImages",
    "VerifyPictures",
    "VerifyWhole",
    "WriteImages",
    "WriteVectors",
]
