"""A model: its data, its training, its service."""

import os

# What the registry calls it, where that wants another name: one of Unity Catalog has three parts.
NAME = os.environ.get("MODEL_NAME", «parameters.name»)
