#!/bin/sh
# Trains the weights in examples/weights. About an hour on one core; run again after an interruption, it goes on.
set -eu
cd "$(dirname "$0")"

# New samples every step, a gradient of norm at most 1 and a learning rate that falls to zero: with 6,400 samples an
# epoch, the paper's 1e-4 at batch 32 moves almost nothing in this time.
recipe() {
    scheme=$1 case=$2
    shift 2
    mmv train "$scheme" --case "$case" --out "weights/$scheme-$case" \
        --N 100 --L 12 --M 4 --p 0.1 --ratio 3 --groups 20 --noise-var 0.1 \
        --fresh --batch-size 64 --n-train 6400 --clip-norm 1 --schedule cosine "$@"
}

recipe amp_nn single-group --U 10 --learning-rate 0.03 --max-epochs 75 --patience 75
recipe map_nn groups --U 5 --learning-rate 0.01 --max-epochs 60 --patience 60
recipe covariance_nn groups --learning-rate 0.003 --max-epochs 120 --patience 120
recipe group_lasso_nn single-group --U 30 --rho 1.5 --learning-rate 0.02 --max-epochs 30 --patience 30
recipe map_nn independent --U 8 --learning-rate 0.01 --max-epochs 40 --patience 40
recipe covariance_nn independent --learning-rate 0.003 --max-epochs 120 --patience 120
recipe group_lasso_nn independent --U 30 --rho 1.5 --learning-rate 0.02 --max-epochs 30 --patience 30
recipe amp_nn independent --U 10 --learning-rate 0.02 --max-epochs 60 --patience 60
