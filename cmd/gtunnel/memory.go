package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// saveMemory gives memory back to the system after each burst of work of the
// tunnels, until ctx ends.
func saveMemory(ctx context.Context, tunnels func() []*tunnel.Tunnel) {
	ticker := time.NewTicker(thriftEvery)
	defer ticker.Stop()
	var burst thrift
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if burst.due(workOf(tunnels())) {
				giveBack()
			}
		}
	}
}

// thrift finds the moments to give memory back to the system: when a burst of
// work is over, which leaves pools full of buffers, the garbage of handshakes
// and grown stacks. A collector that runs when the heap has doubled would find
// them hours later. The zero value is ready.
type thrift struct {
	seen  uint64 // work at the last look
	burst bool   // much was done, and nothing given back since
	quiet int    // looks in a row at which little was done
}

const (
	thriftEvery = 2 * time.Second
	thriftAfter = 2       // quiet looks that end a burst
	burstWork   = 8 << 20 // work between two looks that makes a burst

	// connectionWork is what a connection counts as: about the bytes that
	// its handshake leaves behind.
	connectionWork = 256 << 10
)

// due looks at the work that has been done so far, every thriftEvery, and
// reports whether this is a moment.
func (m *thrift) due(work uint64) bool {
	done := work - m.seen // a tunnel that is gone since makes it huge: there is memory to give back
	m.seen = work
	if done >= burstWork {
		m.burst, m.quiet = true, 0
		return false
	}
	if m.quiet++; !m.burst || m.quiet < thriftAfter {
		return false
	}
	m.burst = false
	return true
}

// workOf is what the tunnels have done so far: bytes carried and connections.
func workOf(tunnels []*tunnel.Tunnel) (work uint64) {
	for _, t := range tunnels {
		traffic := t.Traffic()
		work += traffic.BytesFromPeer + traffic.BytesToPeer + connectionWork*traffic.Accepted
	}
	return work
}

// giveBack gives unused memory back to the system. The first collection takes
// the buffers out of their pools, the second frees them.
func giveBack() {
	runtime.GC()
	debug.FreeOSMemory()
}
