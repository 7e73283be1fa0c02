// Package couch stores a ledger's state in CouchDB, the way Fabric's statecouchdb does.
//
//  1. config.go: Open finds the server and makes the channel's database, with a document that
//     says whose it is. The database of another ledger is refused.
//  2. document.go: a value that is a JSON object becomes the fields of a document, any other
//     value its attachment "valueBytes". The version is the field "~version".
//  3. read.go: documents by their keys in one request (_all_docs), and by ranges of keys; in
//     more requests if the answer would be longer than 64 MB.
//  4. write.go: documents in one request (_bulk_docs) with their revisions, which are cached
//     (revisions.go) or asked for; and the savepoint, a document of its own.
//  5. client.go: one request, repeated with growing waits if the server fails.
//
// Unlike in Fabric, one database has all namespaces of a channel, and keys are bytes: a byte is a
// character of a document's id, so ids are in the order of the keys.
//
// A JSON value comes back as the same JSON, perhaps with other bytes, as on a Fabric peer. JSON
// that the server would change or refuse becomes an attachment (isDocument).
//
// CouchDB 3 answers a write when it is on the disk. The writes of a request are not atomic: the
// savepoint is written after them, and the ledger writes again what came after the last savepoint.
//
// A DB is used by one goroutine at a time. User names and passwords are in no error.
package couch
