'use strict';
// Describes blocks as the messages of @hyperledger/fabric-protos give them.

const {common, ledger, msp, peer} = require('@hyperledger/fabric-protos');
const {rwset} = ledger;
const {bytes, number, sha256} = require('./scalars');

const {kvrwset} = rwset;

function identity(raw) {
	const i = msp.SerializedIdentity.deserializeBinary(raw);
	return {mspid: i.getMspid(), id: bytes(i.getIdBytes_asU8())};
}

function signed(raw) {
	const h = common.SignatureHeader.deserializeBinary(raw);
	return {creator: identity(h.getCreator_asU8()), nonce: bytes(h.getNonce_asU8())};
}

// map gives a protobuf map as an object.
const map = (m, f) => Object.fromEntries(m.toArray().map(([k]) => [k, f(m.get(k))]));

function block(b) {
	const writes = {count: 0, bytes: 0};
	const data = b.getData().getDataList_asU8();
	const entries = b.getMetadata().getMetadataList_asU8();
	const metadata = common.Metadata.deserializeBinary(entries[0]);
	const out = {
		number: number(b.getHeader().getNumber()),
		previousHash: bytes(b.getHeader().getPreviousHash_asU8()),
		dataHash: bytes(b.getHeader().getDataHash_asU8()),
		dataSum: sha256(Buffer.concat(data)),
		flags: Array.from(entries[2] || []),
		commitHash: bytes(entries[4]),
		metadata: bytes(metadata.getValue_asU8()),
		signatures: metadata.getSignaturesList().map((s) => ({...signed(s.getSignatureHeader_asU8()), signature: bytes(s.getSignature_asU8())})),
		transactions: data.map((raw) => transaction(common.Envelope.deserializeBinary(raw), writes)),
	};
	return {...out, writes: writes.count, writeBytes: writes.bytes};
}

function transaction(envelope, writes) {
	const payload = common.Payload.deserializeBinary(envelope.getPayload_asU8());
	const channel = common.ChannelHeader.deserializeBinary(payload.getHeader().getChannelHeader_asU8());
	const time = channel.getTimestamp();
	const out = {
		type: channel.getType(), version: channel.getVersion(),
		millis: time ? time.getSeconds() * 1000 + Math.floor(time.getNanos() / 1e6) : 0, nanos: time ? time.getNanos() : 0,
		channel: channel.getChannelId(), txId: channel.getTxId(), epoch: number(channel.getEpoch()),
		extension: bytes(channel.getExtension_asU8()), tlsCertHash: bytes(channel.getTlsCertHash_asU8()),
		...signed(payload.getHeader().getSignatureHeader_asU8()), signature: bytes(envelope.getSignature_asU8()),
	};
	if (channel.getType() === common.HeaderType.CONFIG) {
		const config = common.ConfigEnvelope.deserializeBinary(payload.getData_asU8()).getConfig();
		out.config = {sequence: number(config.getSequence()), group: group(config.getChannelGroup())};
	}
	if (channel.getType() === common.HeaderType.ENDORSER_TRANSACTION) {
		out.actions = peer.Transaction.deserializeBinary(payload.getData_asU8()).getActionsList().map((a) => action(a, writes));
	}
	return out;
}

function group(g) {
	return {
		version: g.getVersion(), modPolicy: g.getModPolicy(),
		groups: map(g.getGroupsMap(), group),
		values: map(g.getValuesMap(), (v) => ({version: v.getVersion(), modPolicy: v.getModPolicy(), value: bytes(v.getValue_asU8())})),
		policies: map(g.getPoliciesMap(), (p) => ({
			version: p.getVersion(), modPolicy: p.getModPolicy(), type: p.getPolicy().getType(), value: bytes(p.getPolicy().getValue_asU8()),
		})),
	};
}

function action(a, writes) {
	const payload = peer.ChaincodeActionPayload.deserializeBinary(a.getPayload_asU8());
	const proposal = peer.ChaincodeProposalPayload.deserializeBinary(payload.getChaincodeProposalPayload_asU8());
	const spec = peer.ChaincodeInvocationSpec.deserializeBinary(proposal.getInput_asU8()).getChaincodeSpec();
	const response = peer.ProposalResponsePayload.deserializeBinary(payload.getAction().getProposalResponsePayload_asU8());
	const result = peer.ChaincodeAction.deserializeBinary(response.getExtension_asU8());
	const sets = rwset.TxReadWriteSet.deserializeBinary(result.getResults_asU8());
	return {
		...signed(a.getHeader_asU8()),
		language: spec.getType(), called: chaincode(spec.getChaincodeId()),
		args: spec.getInput().getArgsList_asU8().map((x) => bytes(x) || ''),
		proposalHash: bytes(response.getProposalHash_asU8()),
		dataModel: sets.getDataModel(), namespaces: sets.getNsRwsetList().map((ns) => namespace(ns, writes)),
		event: event(peer.ChaincodeEvent.deserializeBinary(result.getEvents_asU8())),
		status: result.getResponse().getStatus(), message: result.getResponse().getMessage(),
		payload: bytes(result.getResponse().getPayload_asU8()),
		ran: chaincode(result.getChaincodeId()),
		endorsements: payload.getAction().getEndorsementsList().map((e) => ({
			...identity(e.getEndorser_asU8()), signature: bytes(e.getSignature_asU8()),
		})),
	};
}

const chaincode = (id) => ({path: id.getPath(), name: id.getName(), version: id.getVersion()});

const event = (e) => ({
	chaincode: e.getChaincodeId(), txId: e.getTxId(), name: e.getEventName(), payload: bytes(e.getPayload_asU8()),
});

function read(r) {
	const v = r.getVersion();
	return {key: r.getKey(), version: v ? `${v.getBlockNum()}/${v.getTxNum()}` : undefined};
}

function namespace(ns, writes) {
	const kv = kvrwset.KVRWSet.deserializeBinary(ns.getRwset_asU8());
	for (const w of kv.getWritesList()) {
		writes.count++;
		writes.bytes += Buffer.byteLength(w.getKey()) + w.getValue_asU8().length;
	}
	return {
		name: ns.getNamespace(),
		reads: kv.getReadsList().map(read),
		ranges: kv.getRangeQueriesInfoList().map((q) => ({
			start: q.getStartKey(), end: q.getEndKey(), exhausted: q.getItrExhausted(),
			reads: q.hasRawReads() ? q.getRawReads().getKvReadsList().map(read) : [],
			hashes: q.hasReadsMerkleHashes() ? q.getReadsMerkleHashes().getMaxLevelHashesList_asU8().map(bytes) : [],
		})),
		writes: kv.getWritesList().map((w) => ({key: w.getKey(), isDelete: w.getIsDelete(), value: bytes(w.getValue_asU8())})),
		metadata: kv.getMetadataWritesList().map((w) => ({
			key: w.getKey(), entries: w.getEntriesList().map((e) => ({name: e.getName(), value: bytes(e.getValue_asU8())})),
		})),
		collections: ns.getCollectionHashedRwsetList().map((c) => ({name: c.getCollectionName(), hash: bytes(c.getPvtRwsetHash_asU8())})),
	};
}

function filtered(b) {
	return {
		number: number(b.getNumber()), channel: b.getChannelId(),
		transactions: b.getFilteredTransactionsList().map((t) => ({
			txId: t.getTxid(), type: t.getType(), code: t.getTxValidationCode(),
			events: t.hasTransactionActions()
				? t.getTransactionActions().getChaincodeActionsList().map((a) => event(a.getChaincodeEvent())) : [],
		})),
	};
}

module.exports = {block, filtered};
