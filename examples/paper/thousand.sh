#!/bin/sh
# Trains the learned schemes of Figs 5, 6, 10 and 11 at N=1000, at two pilot lengths, and measures them and the classical
# ones that the claims hold against them. About an hour of one core; run again after an interruption, it goes on.
set -eu
out=${1:-paper-thousand}

# Abscissas of one scenario, figure, its panels, schemes
measure() {
    mmv reproduce "$2" --panels "$3" --at "$1" --schemes "$4" --scale quick --workers 1 --out "$out"
}

# The other panels' scenario: M=16, p1/p2=3 and G=200.
measure 0.11,16,3 5 a,c,d,e amp_nn
measure 0.11,16,3 10 a,c,d,e amp_nn
measure 0.11,16,200 11 a,c,d,e,f amp_nn
measure 0.11,16 6 a,c,d,e amp_nn
measure 0.11,16,3 5 a,c,d,e group_lasso_nn
measure 0.11,16 6 a,c,d,e group_lasso_nn
measure 0.11,16,3 10 a,c,d,e map_nn
measure 0.11,16,200 11 a,c,d,e,f map_nn
measure 0.11,16,3 10 a,c,d,e covariance_nn
measure 0.11,16,200 11 a,c,d,e,f covariance_nn
measure 0.11,16,3 10 a,c,d,e amp,ml
measure 0.11,16,200 11 a,c,d,e,f amp,ml
measure 0.11,16,3 5 a,c,d,e amp,ml_mmse
measure 0.11,16 6 a,c,d,e amp,ml_mmse

# And that of the panels b, where p=0.1.
at_longer_pilots() {
    measure 0.15 "$1" "$2" "$3"
    measure 0.1 "$1" b "$3"
}

at_longer_pilots 5 a,e amp_nn
at_longer_pilots 10 a amp_nn
at_longer_pilots 11 a,e,f amp_nn
at_longer_pilots 6 a,d,e amp_nn
at_longer_pilots 5 a,e group_lasso_nn
at_longer_pilots 6 a,d,e group_lasso_nn
at_longer_pilots 10 a map_nn
at_longer_pilots 11 a,e,f map_nn
at_longer_pilots 10 a covariance_nn
at_longer_pilots 11 a,e,f covariance_nn
at_longer_pilots 10 a amp,ml
at_longer_pilots 11 a,e,f amp,ml
at_longer_pilots 5 a,e amp,ml_mmse
at_longer_pilots 6 a,d,e amp,ml_mmse
