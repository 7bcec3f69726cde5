"""A model: its data, its training, its service."""

NAME = «parameters.name»
