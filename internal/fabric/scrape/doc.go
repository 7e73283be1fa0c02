// Package scrape reads the figures that Fabric's orderers and peers show on their
// operations endpoint, at /metrics, for Prometheus.
//
//  1. New takes the address of one node's page: config.go.
//  2. Once reads the page: scraper.go. It is read line by line, and only the lines of
//     some figures are kept and parsed: page.go. A page has thousands of others.
//  3. What is kept becomes samples: series.go. A gauge is a sample as it is. A counter
//     goes on where it stood when its node starts again. A histogram's sample is the mean
//     of what came since the page was read before: its buckets are too coarse for more.
//  4. Run does this at every interval, in a goroutine of its own, until its context
//     ends. A node that is away is an outage, reported when it begins and when it ends.
//
// What a page does not show gives no sample, and never a zero. What keeps a page from being
// read gives an error that says what to set, and where: problem.go.
package scrape
