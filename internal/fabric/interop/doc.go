// Package interop proves the wire against code that is not ours: Fabric's own clients and
// messages for Node.js, fabric-common and fabric-network 2.2 (protobufjs) and
// @hyperledger/fabric-protos (protoc's JavaScript). It holds tests alone.
//
//  1. make interop installs the packages, as package-lock.json pins them, into .npm, and runs
//     the tests with BLOCKREEL_INTEROP naming that folder. Without it they are skipped.
//  2. TestDecoders has both decoders describe real blocks and minted ones (decode.js), and
//     compares field by field with what our messages and block views say.
//  3. TestStreams has the clients read blocks from a deliver.Server (stream.js), with requests
//     that they make and sign, and compares what arrives in the same way; TestNetwork does so
//     with the orderer and the peers of the embedded network, and TestProgram with "blockreel
//     run", by what it says of itself.
//
// A description writes long bytes as their SHA-256 and leaves zero values out: scalars.js and
// describe_test.go.
package interop
