"""What the services say to each other: event classes, topics, schemas. Pure data, no I/O."""
