"""The rules of verification: facts and a moment in, a verdict out. Pure: no I/O, no clock, no keys."""
