#!/bin/sh
# Adaptive attacks and structural certificates of one model, with tables:
#     benchmarks/attacks.sh MODEL_DIR OUTPUT [options of guard-certify attack, e.g. --goals 100]
# OUTPUT/attacks.json and OUTPUT/structural.json go into a report with --attacks and --structural.
# Repeat the command to go on after an interruption.  On a GPU give --device cuda, and
# ERASE=10 for erase-and-check.
set -eu
model=$1 output=$2
shift 2
device=cpu
case " $* " in *" --device cuda "*) device=cuda ;; esac
mkdir -p "$output"
guard-certify attack --model "$model" --output "$output" "$@" | tee "$output/attacks.md"
guard-certify structural --model "$model" --output "$output" --device "$device" \
    --sets "${SETS:-600}" --erase "${ERASE:-0}" | tee "$output/structural.md"
