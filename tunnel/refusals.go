package tunnel

import (
	"net"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/certs"
)

// Refusal is why connections came to nothing lately, or were closed because
// their peer was no longer accepted.
type Refusal struct {
	Time   time.Time  `json:"time"` // of the last one
	Code   certs.Code `json:"code"`
	Peer   string     `json:"peer"`                    // its address, of the last one; empty if accept failed
	Proxy  string     `json:"proxy_address,omitempty"` // which passed it on; empty: it came here itself
	PeerDN string     `json:"peer_dn,omitempty"`       // slash form; empty if it showed none
	Reason string     `json:"reason"`
	Cure   string     `json:"cure"`
	Times  uint64     `json:"times"` // from this host, with this DN
}

// refusalsKept is how many refusals of each code are remembered.
const refusalsKept = 5

// refusals remembers the last ones of each code, so that a flood of one code
// does not drive out the others. Those of one host and one name are one.
type refusals struct {
	mu    sync.Mutex
	codes map[certs.Code][]Refusal // the newest last
}

// add remembers a refusal whose line of the log has these fields.
func (r *refusals) add(code certs.Code, fields []zap.Field) {
	n := Refusal{Time: time.Now(), Code: code, Times: 1}
	for _, field := range fields { // bounded, so texts are of one type
		switch field.Key {
		case "from", "peer":
			n.Peer = field.String
		case "proxy":
			n.Proxy = field.String
		case "dn":
			n.PeerDN = field.String
		case "reason", "error":
			n.Reason = field.String
		case "cure":
			n.Cure = field.String
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.codes == nil {
		r.codes = make(map[certs.Code][]Refusal)
	}
	list := r.codes[code]
	if i := slices.IndexFunc(list, n.isLike); i >= 0 {
		n.Times += list[i].Times
		list = slices.Delete(list, i, i+1)
	} else if len(list) == refusalsKept {
		list = slices.Delete(list, 0, 1)
	}
	r.codes[code] = append(list, n)
}

// isLike reports whether two refusals of a code are of one host and name.
func (n *Refusal) isLike(other Refusal) bool {
	return n.PeerDN == other.PeerDN && hostOf(n.Peer) == hostOf(other.Peer)
}

// hostOf is an address without its port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// list gives the refusals, the newest first.
func (r *refusals) list() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := []Refusal{}
	for _, ofCode := range r.codes {
		list = append(list, ofCode...)
	}
	slices.SortFunc(list, func(a, b Refusal) int { return b.Time.Compare(a.Time) })
	return list
}
