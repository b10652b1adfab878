package tunnel

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// seat is a place as the tests describe it, the oldest first.
type seat struct {
	source string
	known  bool
	stage  stage
	waited time.Duration // for the peer
}

// seated makes the places of seats.
func seated(h *handshakes, now time.Time, seats ...seat) []*place {
	var places []*place
	for _, s := range seats {
		p := h.add(prefix(s.source), now.Add(-s.waited))
		p.known, p.stage = s.known, s.stage
		places = append(places, p)
	}
	return places
}

const long, short = 2 * patienceTime, patienceTime / 2

// crowd is one seat before ten others.
func crowd(one, other seat) []seat {
	seats := []seat{one}
	for range 10 {
		seats = append(seats, other)
	}
	return seats
}

func TestWhoGivesWay(t *testing.T) {
	for name, test := range map[string]struct {
		seats []seat
		want  int
	}{
		"the oldest": {[]seat{
			{source: "192.0.2.1/32", known: false, stage: silent, waited: short},
			{source: "198.51.100.1/32", known: false, stage: silent, waited: short},
		}, 0},
		"overdue before young": {[]seat{
			{source: "192.0.2.1/32", known: false, stage: silent, waited: short},
			{source: "198.51.100.1/32", known: false, stage: answered, waited: long},
		}, 1},
		"a stranger before known": {[]seat{
			{source: "192.0.2.1/32", known: true, stage: silent, waited: long},
			{source: "198.51.100.1/32", known: false, stage: answered, waited: short},
		}, 1},
		"of known ones, overdue": {[]seat{
			{source: "192.0.2.1/32", known: true, stage: answered, waited: short},
			{source: "198.51.100.1/32", known: true, stage: answered, waited: long},
		}, 1},
		"of known ones, least": {
			[]seat{
				{source: "192.0.2.1/32", known: true, stage: answered, waited: long},
				{source: "198.51.100.1/32", known: true, stage: silent, waited: long},
			},
			1,
		},
		"who has shown least": {[]seat{
			{source: "192.0.2.1/32", known: false, stage: answered, waited: long},
			{source: "198.51.100.1/32", known: false, stage: silent, waited: long},
			{source: "203.0.113.1/32", known: false, stage: begun, waited: long},
		}, 1},
		"not so among the young": {[]seat{
			{source: "192.0.2.1/32", known: false, stage: answered, waited: short},
			{source: "198.51.100.1/32", known: false, stage: silent, waited: short},
		}, 0},
		"the crowded source": {crowd(seat{source: "192.0.2.1/32", known: false, stage: silent, waited: short},
			seat{source: "198.51.100.1/32", known: false, stage: silent, waited: short}), 1},
		"the crowd before stages": {crowd(seat{source: "192.0.2.1/32", known: false, stage: silent, waited: long},
			seat{source: "198.51.100.1/32", known: false, stage: answered, waited: long}), 1},
		"overdue before the crowd": {crowd(seat{source: "192.0.2.1/32", known: false, stage: silent, waited: long},
			seat{source: "198.51.100.1/32", known: false, stage: silent, waited: short}), 0},
		"IPv6 by /64": {crowd(seat{source: "2001:db8::/64", known: false, stage: silent, waited: short},
			seat{source: "2001:db8:1::/64", known: false, stage: silent, waited: short}), 1},
	} {
		t.Run(name, func(t *testing.T) {
			var h handshakes
			places := seated(&h, epoch, test.seats...)
			got := h.leastDeserving(epoch, func(*place) bool { return true })
			if got != places[test.want] {
				t.Errorf("seat %d gives way, want %d", got.number-1, test.want)
			}
		})
	}
}

// TestCrowdedNetworks: many addresses of one network are a crowd, and the
// chance that two strangers are neighbours is none.
func TestCrowdedNetworks(t *testing.T) {
	for name, test := range map[string]struct {
		crowd func(n int) string
		alone string
	}{
		"IPv4 /24": {func(n int) string { return fmt.Sprintf("198.51.100.%d/32", n%250) }, "192.0.2.1/32"},
		"IPv4 /16": {func(n int) string { return fmt.Sprintf("198.51.%d.%d/32", n%250, n/250) }, "192.0.2.1/32"},
		"IPv6 /56": {func(n int) string { return fmt.Sprintf("2001:db8:0:%x::/64", n%250) }, "2001:db8:ff::/64"},
		"IPv6 /48": {func(n int) string { return fmt.Sprintf("2001:db8:0:%x%02x::/64", n%250, n/250) }, "2001:db8:ff::/64"},
	} {
		t.Run(name, func(t *testing.T) {
			var h handshakes
			alone := seated(&h, epoch, seat{source: test.alone, known: false, stage: silent, waited: short})[0] // the oldest
			for i := range 1000 {
				seated(&h, epoch, seat{source: test.crowd(i), known: false, stage: silent, waited: short})
			}
			if h.leastDeserving(epoch, func(*place) bool { return true }) == alone {
				t.Error("the peer outside of the crowd gives way")
			}
		})
	}
	var h handshakes
	old := seated(&h, epoch, seat{source: "192.0.2.1/32", known: false, stage: silent, waited: short})[0]
	seated(&h, epoch, seat{source: "198.51.100.1/32", known: false, stage: silent, waited: short},
		seat{source: "198.51.100.2/32", known: false, stage: silent, waited: short})
	if h.leastDeserving(epoch, func(*place) bool { return true }) != old {
		t.Error("two neighbours count as a crowd")
	}
}

// TestPlacesAreGivenBack: nothing is left of places that are over, however
// they ended.
func TestPlacesAreGivenBack(t *testing.T) {
	h := handshakes{total: 3, perSource: 2, evict: true}
	var places []*place
	for _, s := range []string{
		"192.0.2.1/32", "192.0.2.1/32", "192.0.2.1/32", "192.0.2.2/32", "198.51.100.1/32",
		"2001:db8::/64",
	} {
		p, gone, code := h.enter(prefix(s), epoch)
		if p == nil || code != "" {
			t.Fatalf("%s is refused: %s", s, code)
		}
		if want := map[int]certs.Code{
			2: CodeTooManyFromSource, 4: CodeTooManyHandshakes,
			5: CodeTooManyHandshakes,
		}[len(places)]; gone == nil && want != "" || gone != nil && gone.gone() != want {
			t.Errorf("connection %d makes %+v give way, want %q", len(places), gone, want)
		}
		places = append(places, p)
	}
	unix, _, _ := h.enter(netip.Prefix{}, epoch)
	for _, p := range append(places, unix, unix) {
		h.leave(p)
	}
	if h.pending() != 0 || len(h.crowds) != 0 || h.turns.known != 0 || h.turns.strangers != 0 {
		t.Errorf("left: %d places, %v, %+v", h.pending(), h.crowds, h.turns)
	}
}

// TestClientRefuses: what a local program opens is not given up for another.
func TestClientRefuses(t *testing.T) {
	h := handshakes{total: 1}
	if _, gone, code := h.enter(netip.Prefix{}, epoch); gone != nil || code != "" {
		t.Error("there is a place")
	}
	if p, gone, code := h.enter(netip.Prefix{}, epoch); p != nil || gone != nil || code != CodeTooManyHandshakes {
		t.Errorf("got %v, %v, %q", p, gone, code)
	}
}

// TestVerifiedAtItsSource: a peer that is verified makes its source known, also
// to the connections that are here already, and no other.
func TestVerifiedAtItsSource(t *testing.T) {
	h := handshakes{total: 10, perSource: 10, evict: true}
	places := seated(&h, epoch, seat{source: "192.0.2.1/32"}, seat{source: "192.0.2.2/32"}, seat{source: "192.0.2.3/32"},
		seat{source: "192.0.2.2/32"})
	known := func(want ...bool) {
		t.Helper()
		for i, p := range places {
			if p.known != want[i] {
				t.Errorf("%s is known: %t", p.source, p.known)
			}
		}
	}
	h.verified(prefix("192.0.2.1/32"), epoch)
	known(true, false, false, false)
	h.verified(prefix("192.0.2.2/32"), epoch)
	known(true, true, false, true)
	local := h.add(netip.Prefix{}, epoch) // of a unix socket
	h.verified(netip.Prefix{}, epoch)
	if len(h.known) != 2 || local.known {
		t.Errorf("known: %v", h.known)
	}
}

// TestOneSourceAtItsLimit: one of a source's own connections gives way to its
// next one, however little others deserve their places.
func TestOneSourceAtItsLimit(t *testing.T) {
	h := handshakes{total: 10, perSource: 2, evict: true}
	places := seated(&h, epoch, seat{source: "192.0.2.1/32", known: false, stage: silent, waited: long},
		seat{source: "192.0.2.2/32", known: true, stage: silent, waited: short},
		seat{source: "198.51.100.1/32", known: true, stage: silent, waited: short}, seat{
			source: "198.51.100.1/32", known: true, stage: silent, waited: short,
		})
	if _, gone, code := h.enter(prefix("198.51.100.1/32"), epoch); gone != places[2] || code != "" ||
		h.count(prefix("198.51.100.1/32")) != 2 {
		t.Errorf("%+v gives way, %q, and the source has %d places", gone, code, h.count(prefix("198.51.100.1/32")))
	}
}

// TestWhoGivesWayInAnyOrder: nothing depends on the order in which places are
// held, which is another once one has ended.
func TestWhoGivesWayInAnyOrder(t *testing.T) {
	for name, test := range map[string]struct {
		first, second seat // held the other way round
		want          int
	}{
		"who has shown least": {
			seat{source: "192.0.2.1/32", known: false, stage: answered, waited: long},
			seat{source: "198.51.100.1/32", known: false, stage: silent, waited: long},
			2,
		},
		"of equals, the oldest": {
			seat{source: "192.0.2.1/32", known: false, stage: silent, waited: long},
			seat{source: "198.51.100.1/32", known: false, stage: silent, waited: long},
			1,
		},
		"of the young, the oldest": {
			seat{source: "192.0.2.1/32", known: false, stage: answered, waited: short},
			seat{source: "198.51.100.1/32", known: false, stage: silent, waited: short},
			1,
		},
	} {
		var h handshakes
		places := seated(&h, epoch, seat{source: "203.0.113.1/32", known: false, stage: silent, waited: long}, test.first,
			test.second)
		h.remove(places[0], epoch) // the last one takes its slot
		if got := h.leastDeserving(epoch, func(*place) bool { return true }); got != places[test.want] {
			t.Errorf("%s: seat %d gives way, want %d", name, got.number-1, test.want)
		}
	}
}

// TestLocalConnectionsAreNoSource: those of a unix socket are not bounded as
// one source.
func TestLocalConnectionsAreNoSource(t *testing.T) {
	h := handshakes{total: 10, perSource: 2, evict: true}
	for range 10 {
		if _, gone, code := h.enter(netip.Prefix{}, epoch); gone != nil || code != "" {
			t.Fatalf("%+v gives way, %q", gone, code)
		}
	}
}

// TestGoneBeforeItIsWatched: a place that went to another before its handshake
// began ends the handshake then.
func TestGoneBeforeItIsWatched(t *testing.T) {
	h := handshakes{total: 1, evict: true}
	first, _, _ := h.enter(prefix("192.0.2.1/32"), epoch)
	second, gone, _ := h.enter(prefix("192.0.2.2/32"), epoch)
	if gone != first {
		t.Fatalf("%+v gives way", gone)
	}
	gone.dismiss() // there is nothing to end yet
	for p, want := range map[*place]bool{first: true, second: false} {
		ended := false
		p.watch(nil, func() { ended = true })
		if ended != want {
			t.Errorf("the handshake of %s has ended: %t", p.source, ended)
		}
	}
	second.dismiss()
}

func TestKnownSources(t *testing.T) {
	var known sources
	now := epoch
	for i := range sourcesMost + 10 {
		now = now.Add(time.Second)
		address := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
		if known.has(address, now, knownTime) {
			t.Fatalf("%s is known before", address)
		}
		known.note(address, now)
		known.note(address, now)
	}
	if len(known) != sourcesMost || known.has(prefix("10.0.0.9/32"), now, knownTime) ||
		!known.has(prefix("10.0.0.10/32"), now, knownTime) {
		t.Errorf("%d are known; the oldest is forgotten first", len(known))
	}
	if known.has(prefix("10.0.0.10/32"), now.Add(knownTime), knownTime) {
		t.Error("a source is known for ever")
	}
}
