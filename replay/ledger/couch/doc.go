// Package couch keeps a ledger's state in CouchDB, over HTTP, the way Fabric's statecouchdb
// does. The way through it:
//
//  1. config.go: Open finds the server and makes the database of the channel, with a document
//     that says whose it is. A database of another ledger, or of another program, is refused.
//  2. document.go: a key with its version and value becomes a document, and back. A value
//     that is a JSON object is the document's own fields, so that CouchDB can be queried
//     for them; any other value is the attachment "valueBytes". The version is the field
//     "~version", in base64.
//  3. read.go: documents by their keys in one request (_all_docs), and by ranges of keys; in
//     more requests when the answer would be longer than 64 MB. Committed versions are read
//     without attachments, as Fabric does it.
//  4. write.go: documents in one request (_bulk_docs) with the revisions that CouchDB
//     wants, which are kept from earlier answers (revisions.go) or asked for; and the
//     savepoint, the height up to which the state is complete, as a document of its own.
//  5. client.go: one request, repeated with growing waits when the server stumbles.
//
// What differs from Fabric: one database holds all namespaces of a channel, the key
// being namespace, zero byte, key; keys are bytes, since those of private data are, and
// a byte is one character of a document's id, so ids are in the order of the keys and a
// key of ASCII reads as itself.
//
// A JSON value comes back with its fields in the order in which the server keeps them and
// without spaces, and with its numbers as the server writes them: the same JSON, perhaps other
// bytes, as on a Fabric peer with CouchDB. What JSON's own rules or CouchDB's would change
// beyond that, or refuse, is an attachment: an object with a field twice, a number whose
// digits a double does not keep, as 1e400 or 12345678901234567890 (see isDocument).
//
// What is durable: CouchDB 3 answers a write when it is on the disk, and a request carries the
// header X-Couch-Full-Commit, which makes older versions do the same. Writes of one
// request are not atomic, so the savepoint is written after them and a ledger writes
// again what came after the last savepoint. A server that keeps its data in memory, such as
// PouchDB's with --in-memory, keeps nothing.
//
// A DB is used from one goroutine at a time. User names and passwords are in no error.
package couch
