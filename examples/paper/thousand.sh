#!/bin/sh
# Trains the learned schemes of Figs 5, 6, 10 and 11 at N=1000, at two pilot lengths, and measures them and the classical
# ones that the claims hold against them. About an hour of one core; run again after an interruption, it goes on.
set -eu
out=${1:-paper-thousand}

# Abscissas of one scenario, figure, its panels, schemes
measure() {
    mmv reproduce "$2" --panels "$3" --at "$1" --schemes "$4" --scale quick --workers 1 --out "$out"
}

# L/N=0.11 is where the other panels have M=16, p1/p2=3 and G=200, and 0.15 where they have p=0.1.
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

measure 0.15,0.1 5 a,b,e amp_nn
measure 0.15,0.1 10 a,b amp_nn
measure 0.15,0.1 11 a,b,e,f amp_nn
measure 0.15,0.1 6 a,b,d,e amp_nn
measure 0.15,0.1 5 a,b,e group_lasso_nn
measure 0.15,0.1 6 a,b,d,e group_lasso_nn
measure 0.15,0.1 10 a,b map_nn
measure 0.15,0.1 11 a,b,e,f map_nn
measure 0.15,0.1 10 a,b covariance_nn
measure 0.15,0.1 11 a,b,e,f covariance_nn
measure 0.15,0.1 10 a,b amp,ml
measure 0.15,0.1 11 a,b,e,f amp,ml
measure 0.15,0.1 5 a,b,e amp,ml_mmse
measure 0.15,0.1 6 a,b,d,e amp,ml_mmse
