"""The solvers in the shape that other packages expect; each module needs the package that it is named by."""
