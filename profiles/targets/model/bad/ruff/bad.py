import os


def f():
    return eval("1")
