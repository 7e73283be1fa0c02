'use strict';
// Subscribes to nodes, as the JSON list on standard input says, a few at a time, and writes a
// line for each block, one for the status that ends a stream, and one for an error. A line
// has the subscription's index in the list: loading the SDKs takes longer than a stream.
//
//   reader    who reads: eventService, gateway, committer, messages
//   service   full, filtered: a peer's; orderer
//   url, serverName, ca, tls {cert, key}: the connection; tls for mutual TLS
//   unbound   leaves the TLS certificate's hash out of the request
//   mspid, cert, key: who signs
//   channel, start, stop: as fabric-common takes them; without a stop it waits for new blocks
//   last      the block after which to leave, when there is no stop
//   profile   the path of a connection profile, which tells the gateway all but the identity

const fs = require('fs');
const {createRequire} = require('module');
const {Client, BlockDecoder, User} = require('fabric-common');
const {Gateway} = require('fabric-network');
const {common, orderer, peer} = require('@hyperledger/fabric-protos');
const fabprotos = require('fabric-protos');
const decoder = require('./decoder');
const messages = require('./messages');

// connection is what both SDKs are told; their 3 seconds are short for a busy machine.
const connection = (config) => (
	{'ssl-target-name-override': config.serverName, 'grpc-wait-for-ready-timeout': 60000, requestTimeout: 60000});

function newClient(config) {
	const client = Client.newClient('interop');
	if (config.tls && !config.unbound) {
		client.setTlsClientCertAndKey(config.tls.cert, config.tls.key);
	}
	return client;
}

// request has fabric-common build and sign the SeekInfo.
function request(config, client) {
	const service = client.newChannel(config.channel).newEventService('interop');
	const context = client.newIdentityContext(User.createUser('user', '', config.mspid, config.cert, config.key));
	service.build(context, {startBlock: config.start, endBlock: config.stop, blockType: config.service === 'filtered' ? 'filtered' : 'full'});
	service.sign(context);
	return service;
}

function endpoint(config, client) {
	const options = {url: config.url, pem: config.ca, ...connection(config)};
	if (config.tls) {
		Object.assign(options, {clientCert: config.tls.cert, clientKey: config.tls.key});
	}
	return client.newEndpoint(options);
}

async function eventService(config, emit) {
	const client = newClient(config);
	const eventer = client.newEventer('peer0');
	await eventer.connect(endpoint(config, client));
	const service = request(config, client);
	await new Promise((resolve, reject) => {
		service.registerBlockListener((err, event) => {
			if (err) {
				// How it tells that the stop has come: with the status.
				const end = /^Newest block received:\d+ status:(\d+)$/.exec(err.message);
				return end ? resolve(emit({status: Number(end[1])})) : reject(err);
			}
			emit(event.block ? {block: decoder.block(event.block)} : {filtered: decoder.filtered(event.filteredBlock)});
			if (event.blockNumber.equals(config.last)) {
				resolve();
			}
		}, {unregister: false});
		service.send({targets: [eventer]}).catch(reject);
	});
	eventer.disconnect();
}

// gatewayProfile is the connection profile that a gateway gets.
function gatewayProfile(config) {
	if (config.profile) {
		const profile = JSON.parse(fs.readFileSync(config.profile, 'utf8'));
		const {'ssl-target-name-override': _, ...patience} = connection(config);
		Object.values(profile.peers).forEach((node) => Object.assign(node.grpcOptions, patience));
		return profile;
	}
	return {
		name: 'interop', version: '1.0', client: {organization: 'Org1'},
		organizations: {Org1: {mspid: config.mspid, peers: ['peer0']}},
		peers: {peer0: {url: config.url, tlsCACerts: {pem: config.ca}, grpcOptions: connection(config)}},
		channels: {[config.channel]: {peers: {peer0: {eventSource: true}}}},
	};
}

async function gateway(config, emit) {
	const identity = {type: 'X.509', mspId: config.mspid, credentials: {certificate: config.cert, privateKey: config.key}};
	const tlsInfo = config.tls ? {certificate: config.tls.cert, key: config.tls.key} : undefined;
	const g = new Gateway();
	await g.connect(gatewayProfile(config), {identity, tlsInfo, discovery: {enabled: false}});
	const channel = await g.getNetwork(config.channel);
	await new Promise((resolve) => {
		channel.addBlockListener(async (event) => {
			const {blockData} = event;
			emit(config.service === 'full' ? {block: decoder.block(blockData)} : {filtered: decoder.filtered(blockData)});
			if (event.blockNumber.equals(config.last)) {
				resolve();
			}
		}, {type: config.service, startBlock: config.start});
	});
	g.disconnect();
}

// read takes a stream's messages until its status, or the last block.
function read(stream, envelope, last, emit, take) {
	return new Promise((resolve, reject) => {
		stream.on('error', reject);
		stream.on('end', () => reject(new Error('the stream has ended without a status')));
		stream.on('data', (response) => {
			const line = take(response);
			emit(line);
			const {number} = line.block || line.filtered || {};
			if (line.status !== undefined || Number(number || 0) === last) {
				resolve();
			}
		});
		stream.write(envelope);
	});
}

// committer is fabric-common's client of an orderer; it has the Deliver service and no method
// of its own for it.
async function committer(config, emit) {
	const client = newClient(config);
	const node = client.newCommitter('orderer');
	await node.connect(endpoint(config, client));
	await read(node.service.deliver(), request(config, client).getSignedEnvelope(), config.last, emit, (response) => (
		response.Type === 'status' ? {status: response.status} : {block: decoder.block(BlockDecoder.decodeBlock(response.block))}));
	node.disconnect();
}

// protocMessages reads with the clients that protoc has made.
async function protocMessages(config, emit) {
	const grpc = createRequire(require.resolve('@hyperledger/fabric-protos'))('@grpc/grpc-js');
	const tls = config.tls ? [Buffer.from(config.tls.key), Buffer.from(config.tls.cert)] : [];
	const credentials = grpc.credentials.createSsl(Buffer.from(config.ca), ...tls);
	const options = {
		'grpc.max_receive_message_length': -1,
		'grpc.ssl_target_name_override': config.serverName, 'grpc.default_authority': config.serverName,
	};
	const signed = fabprotos.common.Envelope.encode(request(config, newClient(config)).getSignedEnvelope()).finish();
	const NodeClient = config.service === 'orderer' ? orderer.AtomicBroadcastClient : peer.DeliverClient;
	const client = new NodeClient(new URL(config.url).host, credentials, options);
	const stream = config.service === 'filtered' ? client.deliverFiltered() : client.deliver();
	await read(stream, common.Envelope.deserializeBinary(signed), config.last, emit, (response) => {
		if (response.hasBlock()) {
			return {block: messages.block(response.getBlock())};
		}
		return response.hasStatus() ? {status: response.getStatus()} : {filtered: messages.filtered(response.getFilteredBlock())};
	});
	client.close();
}

const readers = {eventService, gateway, committer, messages: protocMessages};

const line = (value) => process.stdout.write(JSON.stringify(value) + '\n');

async function main() {
	const subscriptions = JSON.parse(fs.readFileSync(0, 'utf8')).map((config, index) => ({config, index}));
	const atATime = 4;
	await Promise.all(Array.from({length: atATime}, async () => {
		for (let next = subscriptions.shift(); next; next = subscriptions.shift()) {
			const {config, index} = next;
			try {
				await readers[config.reader](config, (value) => line({index, ...value}));
			} catch (err) {
				line({index, error: String(err.stack || err)});
			}
		}
	}));
}

// Leave, whatever connections are open, once all lines are out.
main().then(() => process.stdout.write('', () => process.exit(0)));
