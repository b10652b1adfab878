package main_test

import (
	"sync"
	"testing"
	"time"
)

// silenceLimit is how soon a link that is cut silently must show.
const silenceLimit = 30 * time.Second

// TestSilentLinkShows lets what the hosts send to each other get lost, without a word: within
// half a minute status says so on both, and that all is well when it is.
func TestSilentLinkShows(t *testing.T) {
	usualPair(t, func(t *testing.T, p *twoHosts) {
		p.areOK()
		p.a.silence()
		cut := time.Now()
		var looking sync.WaitGroup
		for _, h := range []*pairHost{p.a, p.b} {
			looking.Go(func() {
				var s toldStatus
				for shown := false; !shown && time.Since(cut) < 2*silenceLimit; {
					s, shown = h.tells()
					shown = shown && !s.Healthy
				}
				after := time.Since(cut)
				t.Logf("%s after %v: %s: %s", h.Name, after, s.State, s.Summary)
				if after > silenceLimit || s.State == "ok" {
					t.Errorf("on %s the cut shows after %v:\n%s", h.Name, after, s.text)
				}
			})
		}
		looking.Wait()
		p.a.waitTells("stalled", "no-slave")
		for _, h := range []*pairHost{p.a, p.b} {
			h.tellsTruth("the link is silent")
		}
		p.a.restore()
		p.areOK()
	})
}
