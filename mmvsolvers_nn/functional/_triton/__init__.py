"""CUDA backends: one program per problem, its state on chip; complex tensors as real views, (..., 2)."""
