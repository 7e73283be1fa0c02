'use strict';
// How a description writes what JSON has no form for; describe_test.go writes the same.

const crypto = require('crypto');

const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

// bytes gives short ones in hex and stands for long ones by their hash.
function bytes(b) {
	if (!b || b.length === 0) {
		return undefined;
	}
	return b.length <= 64 ? Buffer.from(b).toString('hex') : 'sha256:' + sha256(b);
}

// number writes what may not fit a JavaScript number; zero is left out.
function number(n) {
	const s = n === undefined || n === null ? '0' : n.toString();
	return s === '0' ? undefined : s;
}

module.exports = {bytes, number, sha256};
