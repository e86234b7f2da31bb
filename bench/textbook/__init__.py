"""The solvers as a good engineer writes them in Numba from the formulas: one problem, one update after the other."""
