#!/usr/bin/env bash
# Fabric's two Node.js clients ask a peer for different blocks when they are told to start at the same one.
#
# Guessed: startBlock: 5 makes both clients seek block 5; and both ask for an endless stream by the same stop, the
#   greatest number of an uint64, as a peer does.
# True: fabric-network seeks block 4 (and block 0 when told 0 or 1); fabric-gateway seeks block 5. Neither stop is the
#   peer's 2^64 − 1: fabric-network's is 2^63 − 1, fabric-gateway's 2^53 − 1.
#   So the first block on the wire does not say where the application begins, and a server that recognizes an endless
#   stream by its stop needs all three numbers.
# Packages: fabric-network 2.2.20, @hyperledger/fabric-gateway 1.12.1, against a Deliver service that only reads requests
# Seen: 2026-12-01
# Matters where: servers of recorded blocks, counts of the bytes that a subscriber costs a peer, resumption by checkpoint.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent fabric-network@2.2.20 fabric-protos@2.2.20 @hyperledger/fabric-gateway@1.12.1 @grpc/grpc-js@1.13.4
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=user 2>/dev/null
cat >seek.js <<'JS'
const assert = require('assert');
const fs = require('fs');
const crypto = require('crypto');
const grpc = require('@grpc/grpc-js');
const { common, orderer } = require('fabric-protos');
const { Gateway, Wallets } = require('fabric-network');
const { connect, signers } = require('@hyperledger/fabric-gateway');
for (const name of ['fabric-network', '@hyperledger/fabric-gateway']) {
  console.log(name, JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version);
}
const cert = fs.readFileSync('cert.pem', 'utf8');
const key = fs.readFileSync('key.pem', 'utf8');

let asked; // told of each seek
const read = (call) => {
  call.on('data', (bytes) => {
    const payload = common.Payload.decode(common.Envelope.decode(bytes).payload);
    const seek = orderer.SeekInfo.decode(payload.data);
    asked({ start: String(seek.start.specified.number), stop: String(seek.stop.specified.number) });
  });
  call.on('end', () => call.end());
};
const as = (b) => b;
const method = (path) => ({
  path, requestStream: true, responseStream: true,
  requestSerialize: as, requestDeserialize: as, responseSerialize: as, responseDeserialize: as,
});
const server = new grpc.Server();
server.addService(
  { Deliver: method('/protos.Deliver/Deliver'), DeliverFiltered: method('/protos.Deliver/DeliverFiltered') },
  { Deliver: read, DeliverFiltered: read });

async function main(port) {
  const wallet = await Wallets.newInMemoryWallet();
  await wallet.put('user', { credentials: { certificate: cert, privateKey: key }, mspId: 'Org1MSP', type: 'X.509' });
  const old = new Gateway();
  await old.connect({
    version: '1.0.0', client: { organization: 'Org1' },
    organizations: { Org1: { mspid: 'Org1MSP', peers: ['peer'] } },
    peers: { peer: { url: `grpc://127.0.0.1:${port}` } },
    channels: { mychannel: { peers: { peer: { eventSource: true } } } },
  }, { wallet, identity: 'user', discovery: { enabled: false } });
  const network = await old.getNetwork('mychannel');

  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const gateway = connect({
    client, identity: { mspId: 'Org1MSP', credentials: Buffer.from(cert) },
    signer: signers.newPrivateKeySigner(crypto.createPrivateKey(key)),
  });

  const starts = { network: [], gateway: [] };
  for (const startBlock of [0, 1, 5]) {
    let seek = new Promise((resolve) => { asked = resolve; });
    const listener = await network.addBlockListener(async () => {}, { startBlock });
    const first = await seek;
    network.removeBlockListener(listener);

    seek = new Promise((resolve) => { asked = resolve; });
    const events = await gateway.getNetwork('mychannel').getBlockEvents({ startBlock: BigInt(startBlock) });
    const ended = (async () => { for await (const _ of events); })().catch(() => {});
    const second = await seek;
    events.close();
    await ended;

    console.log(`startBlock ${startBlock}: fabric-network seeks ${first.start} to ${first.stop}, fabric-gateway ${second.start} to ${second.stop}`);
    starts.network.push(first.start);
    starts.gateway.push(second.start);
    assert.strictEqual(BigInt(first.stop), 2n ** 63n - 1n);
    assert.strictEqual(BigInt(second.stop), 2n ** 53n - 1n);
  }
  assert.deepStrictEqual(starts, { network: ['0', '0', '4'], gateway: ['0', '1', '5'] });
  old.disconnect();
  gateway.close();
  client.close();
  server.forceShutdown();
}
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (err, port) => {
  if (err) throw err;
  main(port).then(() => process.exit(0), (e) => { console.error(e); process.exit(1); });
});
JS
node seek.js
