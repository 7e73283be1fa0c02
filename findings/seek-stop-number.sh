#!/usr/bin/env bash
# A subscription "to the end of time", asked for with a number in Node.js, ends at block 0.
#
# Guessed: SeekSpecified.number is an uint64. A JavaScript number cannot hold 2^64 − 1, so the packages round it to
#   the nearest number that they can send, or refuse it; and a number that one of them has read it can write again.
# True: a peer asks for blocks up to 2^64 − 1. Somebody who writes that number into JavaScript source gets 2^64, and
#   * fabric-protos (2.x, with protobufjs) sends it as 0, without an error: the request is for blocks up to block 0.
#     The same number as a string is sent as it is.
#   * @hyperledger/fabric-protos (0.3, with google-protobuf) refuses it with "Assertion failed", although it reads
#     2^64 − 1 from the wire, as 2^64: it cannot write again what it has read.
# Packages: fabric-protos 2.2.20, @hyperledger/fabric-protos 0.3.7
# Seen: 2026-12-01
# Matters where: recorders and proxies of Deliver requests in Node.js; a peer's own request passed through one.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent fabric-protos@2.2.20 @hyperledger/fabric-protos@0.3.7
cat >seek.js <<'JS'
const assert = require('assert');
const { SeekSpecified: Old } = require('fabric-protos').orderer;
const { SeekSpecified: New } = require('@hyperledger/fabric-protos').orderer;
for (const name of ['fabric-protos', '@hyperledger/fabric-protos']) {
  console.log(name, require(`./node_modules/${name}/package.json`).version);
}
const most = 18446744073709551615; // 2^64 - 1 in the source, 2^64 in memory

const old = (number) => Buffer.from(Old.encode(Old.create({ number })).finish());
const show = (what, bytes) => console.log(what.padEnd(52), bytes.toString('hex').padEnd(24), String(Old.decode(bytes).number));
show('fabric-protos, number 18446744073709551615', old(most));
show('fabric-protos, string "18446744073709551615"', old('18446744073709551615'));
assert.strictEqual(String(Old.decode(old(most)).number), '0');
assert.strictEqual(String(Old.decode(old('18446744073709551615')).number), '18446744073709551615');

const wire = old('18446744073709551615');
const read = New.deserializeBinary(wire);
console.log('@hyperledger/fabric-protos reads', wire.toString('hex'), 'as', BigInt(read.getNumber()));
assert.strictEqual(BigInt(read.getNumber()), 2n ** 64n);
assert.throws(() => read.serializeBinary(), (e) => {
  console.log('@hyperledger/fabric-protos writes it again:', e.message);
  return /Assertion failed/.test(e.message);
});
JS
node seek.js
