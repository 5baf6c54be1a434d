#!/bin/sh
# The main job on the embedded data set: make the data, run the methods, score them, print the paper's tables.
#   sh demo.sh FOLDER      everything is written below FOLDER; run it again and it goes on where it stopped
set -eu
out=$1
job() { echo "\$ vipbench $*" >&2; vipbench "$@"; }

# evaluate DATASET METHOD [-o KEY=VALUE]: predictions, their scores as a Record
evaluate() {
    dataset=$1 method=$2
    shift 2
    name=$method$(echo "$*" | tr -d ' =' | sed 's/-o/-/g')
    job run --method "$method" "$@" --dataset "$dataset" --data "$out/data" --out "$out/preds/$name/$dataset"
    job score "$out/preds/$name/$dataset" --dataset "$dataset" --data "$out/data" \
        --out "$out/records/$name.$dataset.json"
}

job data make synth --out "$out/data" --splits test,train # class-prior learns from train
for method in empty copy-first class-prior frame aten; do
    evaluate synth $method
done
for method in empty copy-first class-prior frame; do
    evaluate synth-davis $method
done
for l in 3 4 5; do
    evaluate synth-davis aten -o l=$l
done
for table in 1 2 3; do
    job table --paper-table $table --records "$out/records" > "$out/.table"
    mv "$out/.table" "$out/table$table.txt"
    cat "$out/table$table.txt"
done
job compare "$out/records/frame.synth.json" "$out/records/aten.synth.json" --protocol vip-strict \
    --measure mIoU --measure APr@0.5:0.95 --measure APr_vol@0.1:0.9 > "$out/.compare"
mv "$out/.compare" "$out/compare.txt"
cat "$out/compare.txt"
job breakdown "$out/records/frame.synth.json" "$out/records/aten.synth.json" --by occlusion --measure mIoU
job overlay "$out/preds/aten/synth" --dataset synth --data "$out/data" --sequences videos84 --out "$out/overlay"
job leaderboard build "$out/records" --out "$out/site"
echo "Predictions, records, tables, comparison, overlays and the leaderboard page: $out"
