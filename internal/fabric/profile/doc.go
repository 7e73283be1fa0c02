// Package profile reads the common connection profile of Fabric's SDKs, YAML or JSON.
//
//  1. [Load] reads the file; [Parse] does for bytes, and opens no other file. A mistake is
//     an [*Error] with the path of the field in the document and its line.
//  2. [Profile.Select] chooses what the profile says of some channels: an orderer and
//     peers.
//  3. [Profile.Endpoint] and [Profile.Identity] read the certificates and keys that the
//     profile holds or names.
//
// What is read of it:
//
//	client:        organization, tlsCerts.client.{cert,key}.{pem,path}
//	channels:      their orderers, and their peers but those with eventSource: false
//	organizations: mspid, peers, signedCert.{pem,path}, adminPrivateKey.{pem,path}
//	orderers:      url, tlsCACerts.{pem,path}, grpcOptions
//	peers:         the same
//
// and of grpcOptions: ssl-target-name-override, hostnameOverride,
// grpc.ssl_target_name_override, and allow-insecure for a url without a scheme, as the Go
// SDK has it. Everything else is passed over: certificate authorities, timeouts, entity
// matchers. A relative path is looked for beside the profile, and then in the working
// directory, where the SDKs look; ${NAME} in it is an environment variable.
//
// A profile may come from anybody: its size, its depth and what its aliases expand to are
// bounded.
package profile
