#!/bin/sh
# The main job on the embedded data set: make the data, run the methods, score them, print the paper's tables.
#   sh demo.sh FOLDER      everything is written below FOLDER; run it again and it goes on where it stopped
set -eu
out=$1
job() { echo "\$ vipbench $*" >&2; vipbench "$@"; }

# floor DATASET METHOD: predictions of a method that no table names, and their scores as a Record
floor() {
    job run --method "$2" --dataset "$1" --data "$out/data" --out "$out/preds/$2/$1"
    job score "$out/preds/$2/$1" --dataset "$1" --data "$out/data" --out "$out/records/$2.$1.json"
}

job data make synth --out "$out/data" --splits test,train # class-prior learns from train
for method in empty copy-first class-prior; do
    floor synth $method
    floor synth-davis $method
done
for table in 1 2 3; do
    job reproduce --paper-table $table --dataset synth --data "$out/data" --out "$out"
done
job compare "$out/records/frame.synth.json" "$out/records/aten.synth.json" --protocol vip-strict \
    --measure mIoU --measure APr@0.5:0.95 --measure APr_vol@0.1:0.9 > "$out/.compare"
mv "$out/.compare" "$out/compare.txt"
cat "$out/compare.txt"
job breakdown "$out/records/frame.synth.json" "$out/records/aten.synth.json" --by occlusion --measure mIoU
job overlay "$out/preds/aten/synth" --dataset synth --data "$out/data" --sequences videos84 --out "$out/overlay"
job leaderboard build "$out/records" --out "$out/site"
echo "Predictions, records, tables, comparison, overlays and the leaderboard page: $out"
