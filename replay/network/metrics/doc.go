// Package metrics shows the embedded network to Prometheus as Fabric's nodes show
// themselves: a page at /metrics for the orderer and one for each peer, with Fabric's names,
// types, labels and buckets. What Fabric has no name for begins with blockreel_.
//
//  1. New makes a page for every node of the streams: pages.go.
//  2. Pages.Observe gets the events of the streams, next to a recorder, and keeps a few
//     numbers a stream: stream.go. Heights, and what was sent to whom, are read when a
//     page is read: status.go.
//  3. Pages.Serve listens, each page at a port of its own.
//
// As in Fabric a figure is absent until there is something to tell: only heights are there
// from the beginning.
package metrics
