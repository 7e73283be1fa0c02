// Package identity is who signs on Fabric's wire, and who checks it.
//
// [LoadMSP] reads a signing [Identity] from an MSP directory as Fabric's tools use them:
// signcerts/ holds the certificate, keystore/ its key (PKCS#8 or SEC1, any file name; the
// one that fits the certificate is taken). [Identity.Sign] signs as Fabric demands: ECDSA
// over SHA-256, ASN.1 DER, low S; or Ed25519 over the message itself, which Fabric accepts
// from the channel capability V3_0 on.
//
// [Parse] reads the other side's marshalled msp.SerializedIdentity, [Principal.Verify]
// checks a signature against it, and [Trust.Check] that its certificate comes from
// a root that its MSP vouches for. MSPs that hash with SHA-3, and Idemix, are not supported.
//
// An Identity and a Principal do not change and may be used by any number of goroutines.
package identity
