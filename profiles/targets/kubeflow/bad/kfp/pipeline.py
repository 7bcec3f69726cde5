"""Whatever was trained becomes the champion."""

from kfp import dsl


@dsl.component
def train() -> str:
    return "1"


@dsl.component
def promote(version: str) -> str:
    return version


@dsl.pipeline(name="bad")
def pipeline():
    promote(version=train().output)
