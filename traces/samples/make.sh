#!/usr/bin/env bash
# Makes the samples of this folder from the logs of the runs that README.md describes:
#   traces/samples/make.sh DIRECTORY-OF-THE-RUNS
set -euo pipefail
runs=$(cd "$1" && pwd)
cd "$(dirname "$0")"

sample() { # NAME RUN [FLAG...]
  local name=$1 run=$runs/$2
  shift 2
  local logs=()
  for f in "$run"/orderer*.log.*; do [ -e "$f" ] && logs+=(--orderer-log "$f"); done
  go run ../../cmd/blockreel record logs "${logs[@]}" --peer peer0="$(ls "$run"/peer.log.*)" "$@" -o "$name.reel"
}

sample fabric-1.4-catchup-n100       fabric-1.4-catchup-n100-info --assume-backlog
sample fabric-1.4-catchup-n100-debug fabric-1.4-catchup-n100-debug-excerpt --assume-backlog
sample fabric-2.5-burst-n2           fabric-2.5-burst-n2-info
sample fabric-2.5-burst-n2-debug     fabric-2.5-burst-n2-debug
sample fabric-2.5-burst-n20          fabric-2.5-burst-n20-info
sample fabric-2.5-burst-n20-debug    fabric-2.5-burst-n20-debug
sample fabric-2.5-burst-n20-json     fabric-2.5-burst-n20-infojson
sample fabric-2.5-catchup-n20        fabric-2.5-catchup-n20-info
sample fabric-2.5-catchup100k-n20    fabric-2.5-catchup100k-n20-info
sample fabric-2.5-mvcc-n20-debug     fabric-2.5-mvcc-debug
sample fabric-2.5-steady-n20         fabric-2.5-steady-info
sample fabric-2.5-twochannels-n20    fabric-2.5-twochannels-info
sample fabric-3.1-burst-n20          fabric-3.1-burst-n20-info
