"""What cells put out: taken from kernels, cut where it is too much, stored, streamed."""
