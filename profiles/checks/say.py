"""What a check says: a sentence with {names} and what stands in them. Who sets AITK_SAY gets both apart, as JSON on one line."""

import json
import os
import sys


def _told(sentence: str, held: dict) -> str:
    held = {name: str(value) for name, value in held.items()}
    if "AITK_SAY" in os.environ:
        return json.dumps({"say": sentence, "held": held})
    return sentence.format(**held)


def say(sentence: str, **held) -> None:
    print(_told(sentence, held))


def fail(sentence: str, **held) -> None:
    sys.exit(_told(sentence, held))


