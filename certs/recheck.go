package certs

import "time"

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
