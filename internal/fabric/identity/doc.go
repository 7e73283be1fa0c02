// Package identity signs on Fabric's wire, and verifies.
//
// [LoadMSP] reads a signing [Identity] from an MSP directory of Fabric's tools. [Identity.Sign]
// signs as Fabric demands: ECDSA over SHA-256, ASN.1 DER, low S; or Ed25519 over the message.
//
// [Parse] reads a marshalled msp.SerializedIdentity, [Principal.Verify] checks a signature against
// it, and [Trust.Check] that its certificate comes from a root of its MSP. SHA-3 and Idemix are not
// supported.
//
// Identities and principals do not change; any number of goroutines may use them.
package identity
