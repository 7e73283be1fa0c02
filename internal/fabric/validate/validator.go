package validate

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// Config says how blocks are validated.
type Config struct {
	// Channel is the one whose transactions are accepted. Empty: any.
	Channel string
	// Workers is how many transactions are validated at once, Fabric's
	// peer.validatorPoolSize. Zero: the number of CPUs.
	Workers int
	// Certificates is how many are kept with their keys. Zero: 4096. When there are more,
	// any one goes.
	Certificates int
}

const (
	maxWorkers          = 1 << 10
	defaultCertificates = 4096
)

func (c Config) validate() error {
	switch {
	case c.Workers < 0 || c.Workers > maxWorkers:
		return fmt.Errorf("%d validators, not in 0…%d", c.Workers, maxWorkers)
	case c.Certificates < 0:
		return fmt.Errorf("room for %d certificates", c.Certificates)
	}
	return nil
}

// A Validator judges blocks.
type Validator struct {
	config Config
	known  certificates
}

// New makes a validator.
func New(c Config) (*Validator, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Certificates == 0 {
		c.Certificates = defaultCertificates
	}
	return &Validator{config: c, known: certificates{most: c.Certificates, byBytes: map[string]*identity.Principal{}}}, nil
}

// Workers is the size of the pool.
func (v *Validator) Workers() int { return v.config.Workers }

// Block appends a result for each of the block's transactions. Ids that are twice in the
// block are the caller's to find, together with those in the ledger.
func (v *Validator) Block(b *fabric.Block, dst []Result) []Result {
	var envelopes [][]byte
	for _, e := range b.Envelopes() {
		envelopes = append(envelopes, e)
	}
	at := len(dst)
	dst = append(dst, make([]Result, len(envelopes))...)
	results := dst[at:]
	if b.Number == 0 {
		for i, e := range envelopes {
			results[i] = genesis(e)
		}
		return dst
	}
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(envelopes)); i = next.Add(1) - 1 {
			results[i] = v.transaction(envelopes[i])
		}
	}
	var others sync.WaitGroup
	for range min(v.config.Workers, len(envelopes)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	return dst
}

func (v *Validator) transaction(envelope []byte) Result {
	var r reading
	r.read(envelope, v.config.Channel)
	if !r.signed {
		return r.Result
	}
	if v.verify(r.Creator, r.Signature, r.Payload) != nil {
		r.Code = peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE
	}
	if r.Code != peerpb.TxValidationCode_VALID {
		return r.Result
	}
	for _, e := range r.endorsed.Endorsements {
		if v.verify(e.Endorser, e.Signature, r.endorsed.Response, e.Endorser) != nil {
			r.Code = peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE
			continue // as Fabric does, which asks the policy about the others
		}
		r.Endorsed = true
	}
	return r.Result
}

func (v *Validator) verify(by, signature []byte, message ...[]byte) error {
	p, err := v.known.get(by)
	if err != nil {
		return err
	}
	return p.Verify(signature, message...)
}

// certificates keeps parsed identities by their bytes. Those that cannot be parsed are not
// kept.
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
	if err != nil {
		return nil, err
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
