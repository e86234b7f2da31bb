"""CPU backends: the compiled sweeps of `mmvsolvers.kernels`, problems in parallel, and their derivatives."""
