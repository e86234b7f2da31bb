#!/bin/sh
# Trains the weights in examples/weights. About twenty minutes on one core; run again after an interruption, it goes on.
set -eu
cd "$(dirname "$0")"

# New samples every step, a gradient of norm at most 1 and a learning rate that falls to zero: the paper's 1e-4 at batch 32
# moves almost nothing in this time. All epochs but the last run fewer iterations than the scheme has.
recipe() {
    scheme=$1 case=$2
    shift 2
    mmv train "$scheme" --activity "$case" --out "weights/$scheme-$case" \
        -N 100 -L 12 -M 4 -p 0.1 --ratio 3 --groups 20 --noise-var 0.1 \
        --fresh --batch-size 64 --clip-norm 1 --schedule cosine --max-epochs 20 --patience 20 "$@"
}

recipe amp_nn single-group --U 50 --curriculum 10:19 --learning-rate 0.03 --train-samples 5760
recipe amp_nn independent --U 50 --curriculum 10:19 --learning-rate 0.03 --train-samples 9600 --patience 25
recipe group_lasso_nn single-group --U 100 --curriculum 30:19 --rho 1.5 --learning-rate 0.03 --train-samples 9600
recipe group_lasso_nn independent --U 100 --curriculum 30:19 --rho 1.5 --learning-rate 0.01 --train-samples 6400 --patience 25
recipe map_nn groups --U 20 --curriculum 8:19 --learning-rate 0.004 --train-samples 3840
recipe map_nn independent --U 20 --curriculum 8:19 --learning-rate 0.004 --train-samples 14080 --batch-size 128
recipe covariance_nn groups --learning-rate 0.003 --train-samples 38400
recipe covariance_nn independent --learning-rate 0.003 --train-samples 38400
