"""Differentiable torch counterparts of the mmvsolvers references, and the learned decoders built on them."""
