"""Opens what people hand in: JSON, a compact token, or a baked image with one of them in it.

Which of these it is, the bytes say; what they call themselves (a file's name, a Content-Type) is not asked.
Refuses what is none of them, and an image without a credential.
"""

from __future__ import annotations

import re

from services.verifier.domain.facts import Objection
from services.verifier.examination.objections import objection
from services.verifier.examination.reading import parse
from shared.baking import png, svg
from shared.errors import Invalid
from shared.proofs.strictjson import JsonValue

INPUT_BYTES_MAX = png.IMAGE_BYTES_MAX
MEDIA_TYPES = (
    "application/json",
    "application/vc",
    "application/vp",
    "application/ld+json",
    "application/vc+ld+json",
    "application/vc+jwt",
    "application/vp+jwt",
    "text/plain",
    "image/png",
    "image/svg+xml",
)

_TOKEN = re.compile(rb"\s*[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]*\s*")


def opened(data: bytes) -> JsonValue | Objection:
    """What was handed in, as a JSON value: a document, or a token as a string."""
    try:
        if png.is_png(data):
            data = png.unbake(data).encode()
        elif svg.is_svg(data):
            data = svg.unbake(data).encode()
    except Invalid as refusal:
        return objection(refusal)
    if _TOKEN.fullmatch(data):
        return data.decode("ascii").strip()
    return parse(data)
