"""Published algorithms for the maximum-likelihood problem of activity detection, one problem at a time.

Each gives its iterates: γ (N,) after every iteration, from γ = 0, for as long as it is asked.
"""
