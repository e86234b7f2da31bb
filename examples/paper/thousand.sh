#!/bin/sh
# Trains the learned schemes of Figs 5, 6, 10 and 11 at N=1000, at two pilot lengths, and measures them and the classical
# ones that the claims hold against them. About two hours of one core; run again after an interruption, it goes on. The
# tables of all steps are in OUT/tables.
set -eu
out=${1:-paper-thousand}

# L/N, figure, its panels (those besides a are of the same networks), schemes
measure() {
    mmv reproduce "$2" --panels "$3" --at "$1" --schemes "$4" --scale quick --workers 1 --out "$out"
    mkdir -p "$out/tables"
    cp "$out/results.csv" "$out/tables/fig$2-at$1-$4.csv"
}

for at in 0.11 0.15; do
    measure $at 5 a,e amp_nn
    measure $at 10 a amp_nn
    measure $at 11 a,e,f amp_nn
    measure $at 6 a,d,e amp_nn
    measure $at 5 a,e group_lasso_nn
    measure $at 6 a,d,e group_lasso_nn
    measure $at 10 a map_nn
    measure $at 11 a,e,f map_nn
    measure $at 10 a covariance_nn
    measure $at 11 a,e,f covariance_nn
    measure $at 10 a amp,ml
    measure $at 11 a,e,f amp,ml
    measure $at 5 a,e amp,ml_mmse
    measure $at 6 a,d,e amp,ml_mmse
done
