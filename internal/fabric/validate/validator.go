package validate

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/identity"
)

// Config of a Validator.
type Config struct {
	// Channel is the only accepted one. Empty: any.
	Channel string
	// Workers is the number of transactions validated at once, Fabric's peer.validatorPoolSize.
	// Zero: the number of CPUs.
	Workers int
}

const (
	maxWorkers = 1 << 10
	// maxCertificates are cached with their keys, of up to maxKept bytes each.
	maxCertificates = 4096
	maxKept         = 16 << 10
)

// A Validator judges blocks.
type Validator struct {
	workers int
	checks  checks
}

// New makes a validator.
func New(c Config) (*Validator, error) {
	if c.Workers < 0 || c.Workers > maxWorkers {
		return nil, fmt.Errorf("%d validators, not in 0…%d", c.Workers, maxWorkers)
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	known := &certificates{most: maxCertificates, byBytes: map[string]*identity.Principal{}}
	return &Validator{workers: c.Workers, checks: checks{channel: c.Channel, known: known}}, nil
}

// Block appends a result for each transaction. The caller finds duplicate ids.
func (v *Validator) Block(b *fabric.Block, dst []Result) []Result {
	at := len(dst)
	dst = append(dst, make([]Result, b.Transactions)...)
	results := dst[at:]
	if b.Number == 0 {
		for i, e := range b.Envelopes() {
			results[i] = genesis(e)
		}
		return dst
	}
	envelopes := make([][]byte, b.Transactions)
	for i, e := range b.Envelopes() {
		envelopes[i] = e
	}
	// All are read before the first is verified: reading stays in the processor's caches, and the
	// other workers need time to wake up.
	type readTransaction struct {
		result *Result
		claims []identity.Claim
	}
	var next atomic.Int64
	ready := make(chan readTransaction, len(envelopes))
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(envelopes)); i = next.Add(1) - 1 {
			var claims []identity.Claim
			results[i], claims = v.checks.read(envelopes[i])
			ready <- readTransaction{&results[i], claims}
		}
		for {
			select {
			case t := <-ready:
				t.result.verify(t.claims)
			default:
				return // those that are being read are verified by their readers
			}
		}
	}
	var others sync.WaitGroup
	for range min(v.workers, len(envelopes)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	return dst
}

type checks struct {
	// channel is the one whose transactions are accepted. Empty: any.
	channel string
	// known certificates. Nil: signatures are not checked, and count as good.
	known *certificates
}

// certificates caches small parsed identities by their bytes.
type certificates struct {
	most    int
	mu      sync.RWMutex
	byBytes map[string]*identity.Principal
}

func (c *certificates) get(serialized []byte) (*identity.Principal, error) {
	c.mu.RLock()
	p := c.byBytes[string(serialized)]
	c.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	p, err := identity.Parse(serialized)
	if err != nil || len(serialized) > maxKept {
		return p, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.byBytes) >= c.most {
		for any := range c.byBytes {
			delete(c.byBytes, any)
			break
		}
	}
	c.byBytes[string(serialized)] = p
	return p, nil
}

// claim returns a signature to verify. An identity that cannot be read is nobody.
func (c *certificates) claim(by, signature []byte, message ...[]byte) identity.Claim {
	p, err := c.get(by)
	if err != nil {
		return identity.Claim{}
	}
	return p.Claim(signature, message...)
}
