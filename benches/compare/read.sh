#!/usr/bin/env bash
# read.sh [PACKETS] [ROUNDS]: `flowner read` beside softflowd, nfpcapd and tshark on the same
# made-up capture file, whole processes, by turns. Needs the Debian packages softflowd, nfdump
# and tshark; says which are missing. Run it where nothing else runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
packets=${1:-1000000} rounds=${2:-5}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
file=$folder/traffic.pcap

cargo build --release --quiet --package flowner --package flowner-benches --bin flowner --bin traffic
binaries=${CARGO_TARGET_DIR:-target}/release
"$binaries/traffic" "$file" "$packets"
# Once, so that all find it in memory.
cat "$file" > "$folder/copy" && rm "$folder/copy"

flows() { "$binaries/flowner" read "$file" > "$folder/flows"; }
hosts() { "$binaries/flowner" read "$file" --by host > "$folder/hosts"; }
softflowd() { command softflowd -r "$file" -d -6 -v 10 -m 1000000 -n 127.0.0.1:9 -p "$folder/pid" -c none; }
nfpcapd() { mkdir -p "$folder/nf" && command nfpcapd -r "$file" -w "$folder/nf"; }
tshark() { command tshark -n -q -r "$file" -z conv,tcp > "$folder/conversations"; }

TIMEFORMAT='%R %U %S'
turn() {
  if [ "$1" != flows ] && [ "$1" != hosts ] && ! command -v "$1" > /dev/null; then
    echo "SKIPPED: there is no $1" >&2
    return
  fi
  { time "$1" > /dev/null 2>&1; } 2>> "$folder/$1.times"
}
for _ in $(seq "$rounds"); do
  for program in flows hosts softflowd nfpcapd; do turn "$program"; done
done
# It takes as long as all others together.
turn tshark

"$binaries/flowner" --version | head -1
for program in softflowd nfpcapd tshark; do
  dpkg-query --show --showformat='${Package} ${Version}\n' "${program/nfpcapd/nfdump}" 2> /dev/null || true
done
echo "$packets packets, $(stat --format=%s "$file") bytes; wall seconds, middle and least of the rounds, user and system seconds of the least:"
for program in flows hosts softflowd nfpcapd tshark; do
  [ -s "$folder/$program.times" ] || continue
  sort -n "$folder/$program.times" | awk -v program="$program" '
    { wall[NR] = $1; if (NR == 1) rest = $2 " " $3 }
    END { printf "%-10s %6.2f %6.2f   %s\n", program, wall[int((NR + 1) / 2)], wall[1], rest }'
done
