"""The durable truth: files, delta chains, versions, outputs, cell states.

`Database` opens it and runs transactions; the modules beside it hold the queries. Nothing above
this package may assume that it is the only process on the same database.
"""

from . import deltas, files, kernels, people, runs, schema
from .db import Database, StoreError
from .prepared import AnyConnection

__all__ = [
    "AnyConnection",
    "Database",
    "StoreError",
    "deltas",
    "files",
    "kernels",
    "people",
    "runs",
    "schema",
]
