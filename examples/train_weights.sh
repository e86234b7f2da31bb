#!/bin/sh
# Trains the weights in examples/weights. One to thirty minutes each on one core; run again after an interruption, it goes on.
set -eu
cd "$(dirname "$0")"

# What else an activity model has.
of() {
    case $1 in
    independent) echo --ratio 3 ;;
    groups) echo --groups 20 ;;
    esac
}

# New samples every step, a gradient of norm at most 1 and a learning rate that falls to zero: the paper's 1e-4 at batch 32
# moves almost nothing in this time. All epochs but the last run fewer iterations than the scheme has. Of two --out the later
# one counts.
recipe() {
    scheme=$1 case=$2
    shift 2
    mmv train "$scheme" --activity "$case" $(of "$case") --out "weights/$scheme-$case" \
        -N 100 -L 12 -M 4 -p 0.1 --noise-var 0.1 \
        --fresh --batch-size 64 --clip-norm 1 --schedule cosine --max-epochs 20 --patience 20 "$@"
}

recipe amp_nn single-group --U 50 --curriculum 10:19 --learning-rate 0.03 --correction-learning-rate 0.001 --train-samples 9600
recipe amp_nn independent --start-prior true --U 50 --curriculum 10:19 --learning-rate 0.03 --correction-learning-rate 0.001 \
    --train-samples 9600
recipe group_lasso_nn single-group --U 30 --rho 1.5 --learning-rate 0.003 --pilot-learning-rate 0.03 \
    --correction-learning-rate 0.001 --train-samples 4800
recipe group_lasso_nn independent --U 100 --curriculum 30:19 --rho 1.5 --learning-rate 0.01 --train-samples 6400 --patience 25
recipe map_nn groups --U 20 --curriculum 8:19 --learning-rate 0.004 --train-samples 3840
recipe map_nn groups --out weights/map_nn-groups-shared --start-pilots shared \
    --U 20 --curriculum 8:19 --learning-rate 0.004 --train-samples 3840
recipe map_nn independent --start-prior true --U 20 --curriculum 8:19 --learning-rate 0.004 --train-samples 14080 --batch-size 128
recipe psca_nn groups --U 15 --learning-rate 0.004 --train-samples 7680 --batch-size 128
recipe psca_nn independent --start-prior true --U 15 --learning-rate 0.004 --train-samples 14080 --batch-size 128
recipe covariance_nn groups --learning-rate 0.003 --train-samples 38400
recipe covariance_nn independent --learning-rate 0.003 --train-samples 38400

# The coupled schemes bring a recipe of their own. Pilots made for groups, which the activity model tells, are named after
# the scenario; the other coupled schemes learn from samples alone who wakes with whom.
coupled() {
    scheme=$1 case=$2 out=$3
    shift 3
    mmv train "$scheme" --activity "$case" $(of "$case") --out "weights/$out" \
        -N 100 -L 12 -M 4 -p 0.1 --noise-var 0.1 "$@"
}

coupled coupled_amp_nn single-group coupled_amp_nn-single-group --seed 1 --train-samples 38400
coupled coupled_map_nn groups coupled_map_nn-groups
coupled coupled_map_nn groups coupled_map_nn-groups-shared --start-pilots shared --train-samples 4800
coupled coupled_mmse_nn single-group coupled_mmse_nn-single-group --start-pilots orthogonal --train-samples 4800 \
    --learning-rate 0.005 --pilot-learning-rate 0.002
coupled coupled_mmse_nn independent coupled_mmse_nn-independent --start-prior true --U 25 --curriculum 10:17 \
    --train-samples 1280 --learning-rate 3e-4 --pilot-learning-rate 2e-3

# A transformer of two layers of width 64; the paper's five of 128, in bench/README.md, are too large to commit.
mmv train transformer_nn --scenario li2022 --pilots gaussian --out weights/transformer_nn-cell \
    --U 2 --width 64 --batch-size 32 --learning-rate 0.002 --train-samples 5120 --max-epochs 80 --patience 80
