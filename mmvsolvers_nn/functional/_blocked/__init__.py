"""Sweeps whose devices move in blocks: large products, and a recursion on each block's small Gram matrix."""
