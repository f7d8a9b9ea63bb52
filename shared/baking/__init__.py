"""Baked badges (Open Badges 3.0 §5.3): images that carry their credential, made and opened again.

`png` and `svg` each have `bake` and `unbake`. What they carry is text: the JSON of a credential, or its
compact JWS. Images come from strangers, so reading is bounded and strict, decodes no pixels, and unpacks
nothing.
"""
