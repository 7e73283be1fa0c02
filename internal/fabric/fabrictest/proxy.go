package fabrictest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy passes bytes to a node and back until it is cut.
type Proxy struct {
	Address string

	target string
	mu     sync.Mutex
	conns  []net.Conn
	budget atomic.Int64
	open   sync.WaitGroup
}

// StartProxy listens on loopback.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: listener.Addr().String(), target: target}
	p.CutAfter(-1)
	p.open.Go(func() { p.serve(listener) })
	t.Cleanup(func() {
		listener.Close()
		p.Cut()
		p.open.Wait()
	})
	return p
}

func (p *Proxy) serve(listener net.Listener) {
	for {
		in, err := listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, in, out)
		p.mu.Unlock()
		p.open.Go(func() { defer out.Close(); _, _ = io.Copy(out, in) })
		p.open.Go(func() { defer in.Close(); p.pass(in, out) })
	}
}

// CutAfter lets so many of the node's bytes pass and then closes their connection, mostly
// within a frame. A negative number lets all pass.
func (p *Proxy) CutAfter(bytes int64) { p.budget.Store(bytes) }

func (p *Proxy) pass(to io.Writer, from io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if left := p.budget.Load(); left >= 0 {
			n = int(min(int64(n), left))
			if p.budget.Add(-int64(n)) == 0 {
				p.CutAfter(-1)
				_, _ = to.Write(buf[:n])
				return
			}
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// Cut closes all connections; new ones are taken.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}
