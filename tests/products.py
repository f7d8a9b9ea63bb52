"""What the product itself renders, beside the shapes of tests/shapes.py: a document of each renderer.

So that what is shown of shapes (no altered one is accepted, others canonicalise it alike) is shown of what is
issued.
"""

from __future__ import annotations

from typing import Any

from services.issuer.documents.credential import RENDERERS, render_credential
from tests.shapes import shapes
from tests.unit.issuer.samples import FACTS


def products(issuer: str) -> dict[str, dict[str, Any]]:
    """The sample credential as each renderer makes it, issued by the DID `issuer` and not yet signed."""
    facts = FACTS._replace(did=issuer)
    return {f"of renderer {number}": render_credential(number, facts) for number in RENDERERS}


def documents(issuer: str) -> dict[str, dict[str, Any]]:
    """Every shape of the field, and every one of the product."""
    return shapes(issuer) | products(issuer)
