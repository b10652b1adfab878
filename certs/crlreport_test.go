package certs_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestCRLReport counts the CAs by the state of their lists, and says who is
// refused for it.
func TestCRLReport(t *testing.T) {
	ca := func(name string) *certstest.CA { return must(certstest.NewCA(name, sound)) }
	whole, ends, staleCA, staler, none, broken := ca("Whole"), ca("Ends"), ca("Stale"), ca("Staler"), ca("None"),
		ca("Broken")
	twin := ca("Whole")    // the same name, another key, and no list
	renewed := ca("Renew") // the same name and key
	renewal := *renewed
	renewal.Certificate = recertify(renewed, renewed.Certificate, renewed.Key.Public(), now.AddDate(3, 0, 0))
	expired := must(certstest.NewCA("Expired",
		certstest.Options{NotBefore: now.AddDate(-2, 0, 0), NotAfter: now.AddDate(-1, 0, 0)}))
	dir := bare(t, whole, ends, staleCA, staler, none, broken, twin, renewed, &renewal, expired)
	writeList(t, dir, whole, 0, current)
	writeList(t, dir, renewed, 0, current)
	writeList(t, dir, ends, 0, certstest.CRLOptions{NextUpdate: now.Add(23 * time.Hour)})
	writeList(t, dir, staleCA, 0,
		certstest.CRLOptions{ThisUpdate: now.Add(-72 * time.Hour), NextUpdate: now.Add(-time.Hour)})
	writeList(t, dir, staler, 0, stale)
	hash, _ := hashes(broken)
	writeFile(t, filepath.Join(dir, hash+".r0"), []byte("junk"), 0o644)
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	const counts = "revocation lists of 8 CAs: 3 current (1 within a day of the end), 2 stale, 1 unusable, 2 missing"
	for mode, want := range map[certs.CRLMode]struct {
		refused int
		line    string
	}{
		certs.CRLIfPresent: {2, counts + "; ‹crl› if-present refuses the peers of 2 CAs for it"},
		certs.CRLRequire:   {5, counts + "; ‹crl› require refuses the peers of 5 CAs for it"},
		certs.CRLIfValid:   {0, counts + "; ‹crl› if-valid refuses nobody for it now"},
		certs.CRLIgnore:    {0, "revocation lists are not looked at (‹crl› ignore): revoked peers are let in"},
	} {
		report := snapshot.CRLReport(certs.Policy{CRL: mode, CRLGrace: 24 * time.Hour}, now)
		if want := (certs.CRLReport{
			Mode: mode, CAs: 8, Current: 3, Ending: 1, Stale: 2, Missing: 2, Bad: 1, Refused: want.refused,
		}); report != want {
			t.Errorf("%s: %+v, want %+v", mode, report, want)
		}
		if report.String() != want.line || report.Sound() != (mode == certs.CRLIgnore) {
			t.Errorf("%s: %q, sound %t; want %q", mode, report, report.Sound(), want.line)
		}
	}
	if got := fmt.Sprint(snapshot.CRLReport(certs.Policy{}, now.AddDate(20, 0, 0))); got !=
		"revocation lists: every CA has expired" {
		t.Errorf("in the end: %s", got)
	}
	sound := snapshot.CRLReport(certs.Policy{}, now.AddDate(2, 0, 0)) // only the renewed one is left
	if got := fmt.Sprint(sound); got !=
		"revocation lists of 1 CA: 1 stale; ‹crl› if-present refuses the peers of 1 CA for it" {
		t.Errorf("later: %s", got)
	}
}
