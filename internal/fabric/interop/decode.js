'use strict';
// Reads blocks from standard input, each behind its length (4 bytes, big endian), and writes a
// line for each: its descriptions by the two official decoders.

const {BlockDecoder} = require('fabric-common');
const {common} = require('@hyperledger/fabric-protos');
const decoder = require('./decoder');
const messages = require('./messages');

async function* records(input) {
	let rest = Buffer.alloc(0);
	for await (const chunk of input) {
		rest = Buffer.concat([rest, chunk]);
		while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
			const end = 4 + rest.readUInt32BE(0);
			yield rest.subarray(4, end);
			rest = rest.subarray(end);
		}
	}
	if (rest.length > 0) {
		throw new Error(`${rest.length} bytes after the last whole block`);
	}
}

async function main() {
	for await (const raw of records(process.stdin)) {
		const line = {
			decoder: decoder.block(BlockDecoder.decode(raw)),
			messages: messages.block(common.Block.deserializeBinary(raw)),
		};
		if (!process.stdout.write(JSON.stringify(line) + '\n')) {
			await new Promise((resolve) => process.stdout.once('drain', resolve));
		}
	}
}

main().catch((err) => {
	console.error(err);
	process.exitCode = 1;
});
