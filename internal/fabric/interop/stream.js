'use strict';
// Subscribes to a node, as the JSON on standard input says, and writes a line for each block,
// and one for the status that ends the stream:
//
//   reader    who reads: eventService, gateway, committer, messages
//   service   full, filtered: a peer's; orderer
//   url, serverName, ca, tls {cert, key}: the connection; tls for mutual TLS
//   unbound   leaves the TLS certificate's hash out of the request
//   mspid, cert, key: who signs
//   channel, start, stop: as fabric-common takes them; without a stop it waits for new blocks
//   last      the block after which to leave, when there is no stop

const fs = require('fs');
const {createRequire} = require('module');
const {Client, BlockDecoder, User} = require('fabric-common');
const {Gateway} = require('fabric-network');
const {common, orderer, peer} = require('@hyperledger/fabric-protos');
const fabprotos = require('fabric-protos');
const decoder = require('./decoder');
const messages = require('./messages');

const config = JSON.parse(fs.readFileSync(0, 'utf8'));

const emit = (line) => process.stdout.write(JSON.stringify(line) + '\n');

// connection is what both SDKs are told; their 3 seconds are short for a busy machine.
const connection = {'ssl-target-name-override': config.serverName, 'grpc-wait-for-ready-timeout': 60000, requestTimeout: 60000};

function newClient() {
	const client = Client.newClient('interop');
	if (config.tls && !config.unbound) {
		client.setTlsClientCertAndKey(config.tls.cert, config.tls.key);
	}
	return client;
}

// request has fabric-common build and sign the SeekInfo.
function request(client) {
	const service = client.newChannel(config.channel).newEventService('interop');
	const context = client.newIdentityContext(User.createUser('user', '', config.mspid, config.cert, config.key));
	service.build(context, {startBlock: config.start, endBlock: config.stop, blockType: config.service === 'filtered' ? 'filtered' : 'full'});
	service.sign(context);
	return service;
}

function endpoint(client) {
	const options = {url: config.url, pem: config.ca, ...connection};
	if (config.tls) {
		Object.assign(options, {clientCert: config.tls.cert, clientKey: config.tls.key});
	}
	return client.newEndpoint(options);
}

async function eventService() {
	const client = newClient();
	const eventer = client.newEventer('peer0');
	await eventer.connect(endpoint(client));
	const service = request(client);
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

async function gateway() {
	const network = {
		name: 'interop', version: '1.0', client: {organization: 'Org1'},
		organizations: {Org1: {mspid: config.mspid, peers: ['peer0']}},
		peers: {peer0: {url: config.url, tlsCACerts: {pem: config.ca}, grpcOptions: connection}},
		channels: {[config.channel]: {peers: {peer0: {eventSource: true}}}},
	};
	const identity = {type: 'X.509', mspId: config.mspid, credentials: {certificate: config.cert, privateKey: config.key}};
	const tlsInfo = config.tls ? {certificate: config.tls.cert, key: config.tls.key} : undefined;
	const g = new Gateway();
	await g.connect(network, {identity, tlsInfo, discovery: {enabled: false}});
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
function read(stream, envelope, take) {
	return new Promise((resolve, reject) => {
		stream.on('error', reject);
		stream.on('end', () => reject(new Error('the stream has ended without a status')));
		stream.on('data', (response) => {
			const line = take(response);
			emit(line);
			const {number} = line.block || line.filtered || {};
			if (line.status !== undefined || Number(number || 0) === config.last) {
				resolve();
			}
		});
		stream.write(envelope);
	});
}

// committer is fabric-common's client of an orderer; it has the Deliver service and no method
// of its own for it.
async function committer() {
	const client = newClient();
	const node = client.newCommitter('orderer');
	await node.connect(endpoint(client));
	await read(node.service.deliver(), request(client).getSignedEnvelope(), (response) => (
		response.Type === 'status' ? {status: response.status} : {block: decoder.block(BlockDecoder.decodeBlock(response.block))}));
	node.disconnect();
}

// protocMessages reads with the clients that protoc has made.
async function protocMessages() {
	const grpc = createRequire(require.resolve('@hyperledger/fabric-protos'))('@grpc/grpc-js');
	const tls = config.tls ? [Buffer.from(config.tls.key), Buffer.from(config.tls.cert)] : [];
	const credentials = grpc.credentials.createSsl(Buffer.from(config.ca), ...tls);
	const options = {
		'grpc.max_receive_message_length': -1,
		'grpc.ssl_target_name_override': config.serverName, 'grpc.default_authority': config.serverName,
	};
	const signed = fabprotos.common.Envelope.encode(request(newClient()).getSignedEnvelope()).finish();
	const NodeClient = config.service === 'orderer' ? orderer.AtomicBroadcastClient : peer.DeliverClient;
	const client = new NodeClient(new URL(config.url).host, credentials, options);
	const stream = config.service === 'filtered' ? client.deliverFiltered() : client.deliver();
	await read(stream, common.Envelope.deserializeBinary(signed), (response) => {
		if (response.hasBlock()) {
			return {block: messages.block(response.getBlock())};
		}
		return response.hasStatus() ? {status: response.getStatus()} : {filtered: messages.filtered(response.getFilteredBlock())};
	});
	client.close();
}

const readers = {eventService, gateway, committer, messages: protocMessages};

// leave ends the process, whatever connections are open, once all lines are out.
const leave = (code) => process.stdout.write('', () => process.exit(code));

readers[config.reader]().then(() => leave(0), (err) => {
	console.error(err);
	leave(1);
});
