"""How facts travel between services: the seam, the codec, the local bus and the consumer."""
