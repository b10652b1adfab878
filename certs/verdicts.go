package certs

import (
	"crypto/x509"
	"slices"
	"sync"
	"time"
)

// Recheck judges the peer of a live session again, by the Store's current
// Snapshot and the Policy of e: the same chain, role and host as result's.
// It is to be called after each Reload that changed something and each
// SetAccess, when result.NextEvent has come, and once when a session is
// registered, since either may have come between its handshake and that. While
// nothing has changed it costs next to nothing.
//
// Unlike Verify it tolerates under CRLRequire a CRL that merely went stale, for
// Policy.CRLGrace after its nextUpdate, with a Warning. The error is always a
// *Refusal. On success the new Result takes the place of result.
func (e *Endpoint) Recheck(result *Result, now time.Time) (*Result, error) {
	options := result.options
	options.Time, options.Policy = now, e.policyFor(options.Role)
	trust := e.Store.Snapshot()
	if result.holds(trust, options) {
		return result, nil
	}
	s := newSearch(trust, options)
	s.tolerant, s.earlier = true, result.path
	again, refusal := s.judge(result.Chain, options)
	if refusal != nil {
		return nil, refusal
	}
	return again, nil
}

// verdicts remembers the latest verdicts of Verify in favour of peers, so that
// a peer which connects again costs no signature check while nothing has
// changed. A verdict is a function of the snapshot, the chain, the role, the
// host, the policy and the time, and of the time it depends only from its
// NextEvent on: what is remembered is what Verify would say. The zero value is
// ready.
type verdicts struct {
	mu       sync.Mutex
	snapshot *Snapshot // by which all were made
	accepted map[verdictKey]*Result
}

// verdictKey finds a verdict; whether it is the right one, its Result says.
type verdictKey struct {
	role PeerRole
	host string
	leaf string // DER
}

// maxVerdicts is how many peers are remembered.
const maxVerdicts = 256

// verify is Verify with a memory.
func (v *verdicts) verify(snapshot *Snapshot, chain []*x509.Certificate, options VerifyOptions) (*Result, error) {
	if len(chain) == 0 {
		return Verify(snapshot, chain, options)
	}
	key := verdictKey{role: options.Role, host: options.Host, leaf: string(chain[0].Raw)}
	v.mu.Lock()
	result := v.accepted[key]
	v.mu.Unlock()
	if result != nil && result.holds(snapshot, options) &&
		slices.EqualFunc(result.Chain, chain, (*x509.Certificate).Equal) {
		return result, nil
	}
	result, err := Verify(snapshot, chain, options)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.snapshot != snapshot {
		v.snapshot, v.accepted = snapshot, make(map[verdictKey]*Result)
	}
	for other := range v.accepted {
		if len(v.accepted) < maxVerdicts {
			break
		}
		delete(v.accepted, other) // any: few sites have so many peers
	}
	v.accepted[key] = result
	return result, nil
}

// holds reports whether Verify would come to the same verdict about the same
// chain: nothing that it rests on has changed.
func (r *Result) holds(snapshot *Snapshot, options VerifyOptions) bool {
	now := options.Time
	options.Time = r.options.Time
	return snapshot == r.snapshot && options == r.options && !now.Before(r.options.Time) && now.Before(r.NextEvent)
}
