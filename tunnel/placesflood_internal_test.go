package tunnel

import (
	"fmt"
	"testing"
	"time"
)

// attack is what a simulated flood does.
type attack struct {
	source   func(n int) string // of connection n
	atOnce   int                // connections of a wave
	every    time.Duration      // between waves
	answered bool               // they send a ClientHello, and then nothing
}

// TestNobodyIsShutOut simulates floods for ten seconds, in milliseconds, while
// peers from a slow link come now and then. No peer may lose its place. All
// limits and floods are a fifth of the real ones.
func TestNobodyIsShutOut(t *testing.T) {
	const ms, wave = time.Millisecond, 10 * time.Second
	scattered := func(n int) string { return fmt.Sprintf("10.%d.%d.%d/32", n%50, n/50%250, n%199+1) }
	own := func(int) string { return "192.0.2.1/32" }
	four := func(n int) string { return fmt.Sprintf("192.0.2.%d/32", n%4+2) }
	fourWide := func(n int) string { return fmt.Sprintf("2001:db8:0:%x::/64", n%4+2) }
	everNew := func(n int) string { return fmt.Sprintf("10.0.%d.%d/32", n/250%250, n%250) }
	for name, test := range map[string]struct {
		attack attack
		peer   string
		known  bool
	}{
		"four addresses": {
			attack{source: four, atOnce: 200, every: wave, answered: false}, "192.0.2.1/32", false,
		},
		"four /64s": {
			attack{source: fourWide, atOnce: 200, every: wave, answered: false}, "2001:db8:0:1::/64", false,
		},
		"four addresses, ever new": {
			attack{source: four, atOnce: 2, every: ms, answered: false}, "192.0.2.1/32", false,
		},
		"the peer's own " +
			"address": {attack{source: own, atOnce: 50, every: wave, answered: false}, "192.0.2.1/32", false},
		"the peer's own address, known": {
			attack{source: own, atOnce: 50, every: wave, answered: true}, "192.0.2.1/32", true,
		},
		"the peer's own address, ever new": {
			attack{source: own, atOnce: 1, every: 10 * ms, answered: false}, "192.0.2.1/32", false,
		},
		"ClientHellos from " +
			"everywhere": {attack{source: scattered, atOnce: 400, every: wave, answered: true}, "192.0.2.1/32", false},
		"ClientHellos from everywhere, ever new": {
			attack{source: scattered, atOnce: 1, every: 5 * ms, answered: true}, "192.0.2.1/32", false,
		},
		"ClientHellos from around the peer": {
			attack{source: scattered, atOnce: 1, every: 5 * ms, answered: true}, "10.7.0.8/32", false,
		},
		"ClientHellos from everywhere, of a known": {
			attack{source: scattered, atOnce: 2, every: ms, answered: true}, "192.0.2.1/32", true,
		},
		"silent ones of one network, ever new": {
			attack{source: everNew, atOnce: 1, every: 5 * ms, answered: false}, "192.0.2.1/32", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.attack.strike(t, test.peer, test.known)
		})
	}
}

// strike simulates an attack, beside a peer that comes now and then.
func (a attack) strike(t *testing.T, peer string, known bool) {
	t.Helper()
	const roundTrip = 300 // ms: this end waits for a peer once for so long
	const ms = time.Millisecond
	h := handshakes{total: 200, perSource: 50, evict: true}
	if known {
		h.verified(prefix(peer), epoch)
	}
	var peers []*place
	n := 0
	for tick := range 10_000 {
		now := epoch.Add(time.Duration(tick) * ms)
		if now.Sub(epoch)%a.every == 0 {
			for range a.atOnce {
				p, _, _ := h.enter(prefix(a.source(n)), now)
				if a.answered {
					p.advance(answered)
				}
				n++
			}
		}
		if tick%400 == 50 {
			p, _, code := h.enter(prefix(peer), now)
			if code != "" {
				t.Fatalf("a peer is refused: %s", code)
			}
			peers = append(peers, p)
		}
		for _, p := range peers {
			switch age := now.Sub(p.since) / ms; {
			case p.index < 0:
			case age == roundTrip/10:
				p.advance(answered)
			case age > roundTrip:
				h.remove(p, now) // verified
			}
		}
	}
	if len(peers) != 25 {
		t.Fatalf("%d peers", len(peers))
	}
	lost := 0
	for _, p := range peers {
		if p.gaveWay != "" {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d peers lost their places", lost, len(peers))
	}
	if len(h.held) > h.total {
		t.Errorf("%d places are held", len(h.held))
	}
}
