"""Benchmarks of mmvsolvers: accuracy, speed, memory and the cost of the first call. See README.md here."""
