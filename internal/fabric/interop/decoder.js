'use strict';
// Describes blocks as fabric-common's BlockDecoder gives them.

const {bytes, number} = require('./scalars');

const identity = (i) => ({mspid: i.mspid, id: bytes(i.id_bytes)});

const signed = (header) => ({creator: identity(header.creator), nonce: bytes(header.nonce)});

const map = (object, f) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, f(v)]));

function block(b) {
	const writes = {count: 0, bytes: 0};
	const out = {
		number: number(b.header.number),
		previousHash: bytes(b.header.previous_hash),
		dataHash: bytes(b.header.data_hash),
		flags: b.metadata.metadata[2],
		commitHash: bytes(b.metadata.metadata[4]),
		metadata: bytes(b.metadata.metadata[0].value),
		signatures: b.metadata.metadata[0].signatures.map((s) => ({...signed(s.signature_header), signature: bytes(s.signature)})),
		transactions: b.data.data.map((envelope) => transaction(envelope, writes)),
	};
	return {...out, writes: writes.count, writeBytes: writes.bytes};
}

function transaction(envelope, writes) {
	const {channel_header: channel, signature_header: signature} = envelope.payload.header;
	const out = {
		type: channel.type, version: channel.version, millis: Date.parse(channel.timestamp) || 0,
		channel: channel.channel_id, txId: channel.tx_id, epoch: number(channel.epoch), extension: bytes(channel.extension),
		...signed(signature), signature: bytes(envelope.signature),
	};
	if (channel.type === 1) {
		const {config} = envelope.payload.data;
		out.config = {sequence: number(config.sequence), group: group(config.channel_group)};
	}
	if (channel.type === 3) {
		out.actions = envelope.payload.data.actions.map((a) => action(a, writes));
	}
	return out;
}

function group(g) {
	return {
		version: g.version, modPolicy: g.mod_policy,
		groups: map(g.groups, group),
		values: map(g.values, (v) => ({version: v.version, modPolicy: v.mod_policy})),
		policies: map(g.policies, (p) => ({version: p.version, modPolicy: p.mod_policy, type: p.policy.type})),
	};
}

function action(a, writes) {
	const {chaincode_spec: spec} = a.payload.chaincode_proposal_payload.input;
	const {proposal_response_payload: response, endorsements} = a.payload.action;
	const {results, events, response: answer, chaincode_id: id} = response.extension;
	return {
		...signed(a.header),
		language: spec.type, called: chaincode(spec.chaincode_id), args: spec.input.args.map((x) => bytes(x) || ''),
		proposalHash: bytes(response.proposal_hash),
		dataModel: results.data_model, namespaces: results.ns_rwset.map((ns) => namespace(ns, writes)),
		event: {chaincode: events.chaincode_id, txId: events.tx_id, name: events.event_name, payload: bytes(events.payload)},
		status: answer.status, message: answer.message, payload: bytes(answer.payload),
		ran: chaincode(id),
		endorsements: endorsements.map((e) => ({...identity(e.endorser), signature: bytes(e.signature)})),
	};
}

const chaincode = (id) => ({path: id.path, name: id.name, version: id.version});

const read = (r) => ({key: r.key, version: r.version ? `${r.version.block_num}/${r.version.tx_num}` : undefined});

function namespace(ns, writes) {
	for (const w of ns.rwset.writes) {
		writes.count++;
		writes.bytes += Buffer.byteLength(w.key) + w.value.length;
	}
	return {
		name: ns.namespace,
		reads: ns.rwset.reads.map(read),
		ranges: ns.rwset.range_queries_info.map((q) => ({
			start: q.start_key, end: q.end_key, exhausted: q.itr_exhausted,
			reads: q.raw_reads ? q.raw_reads.kv_reads.map(read) : [],
			hashes: q.reads_merkle_hashes ? q.reads_merkle_hashes.max_level_hashes.map(bytes) : [],
		})),
		writes: ns.rwset.writes.map((w) => ({key: w.key, isDelete: w.is_delete, value: bytes(w.value)})),
		metadata: ns.rwset.metadata_writes.map((w) => ({
			key: w.key, entries: w.entries.map((e) => ({name: e.name, value: bytes(e.value)})),
		})),
		collections: ns.collection_hashed_rwset.map((c) => ({name: c.collection_name, hash: bytes(c.pvt_rwset_hash)})),
	};
}

function filtered(b) {
	return {
		number: number(b.number), channel: b.channel_id,
		transactions: b.filtered_transactions.map((t) => ({
			txId: t.txid, type: t.type, code: t.tx_validation_code,
			events: (t.transaction_actions.chaincode_actions || []).map(({chaincode_event: e}) => ({
				chaincode: e.chaincode_id, txId: e.tx_id, name: e.event_name, payload: bytes(e.payload),
			})),
		})),
	};
}

module.exports = {block, filtered};
