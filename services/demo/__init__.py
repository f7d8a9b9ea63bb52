"""The main job from a provider's side, over HTTP alone: what `microcred demo` shows and `serve` prepares."""
