package certs_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// liveSession is a session with a host of a root, judged by the root's list.
type liveSession struct {
	root     *certstest.CA
	dir      string    // the CApath
	due      time.Time // the list's nextUpdate
	store    *certs.Store
	host     *certstest.Host
	endpoint *certs.Endpoint
	session  *certs.Result
}

func newLiveSession(t *testing.T) *liveSession {
	t.Helper()
	root := must(certstest.NewCA("Root", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	due := now.Add(time.Hour).Truncate(time.Second)
	must(certstest.WriteCRL(dir, root, certstest.CRLOptions{NextUpdate: due}))
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	host := must(root.NewHost("host.test", certstest.Options{NotAfter: now.Add(30 * 24 * time.Hour)}))
	access := must(certs.NewAccess([]string{"host.test"}, nil, false))
	endpoint := &certs.Endpoint{
		Store: store, Policy: certs.Policy{CRL: certs.CRLRequire, CRLGrace: 24 * time.Hour, Access: access},
	}
	session, err := certs.Verify(store.Snapshot(), host.Chain, anyone(certs.PeerClient, now, endpoint.Policy))
	if err != nil {
		t.Fatal(err)
	}
	if !session.NextEvent.Equal(due) {
		t.Errorf("next event %s, want the list's nextUpdate %s", session.NextEvent, due)
	}
	return &liveSession{
		root: root, dir: dir, due: due, store: store, host: host, endpoint: endpoint, session: session,
	}
}

// write writes the root's list anew.
func (l *liveSession) write(o certstest.CRLOptions) {
	must(certstest.WriteCRL(l.dir, l.root, o))
}

func (l *liveSession) recheck(at time.Time) (*certs.Result, error) {
	return l.endpoint.Recheck(l.session, at)
}

// TestRecheck judges a live session as its host's files and its clock change.
func TestRecheck(t *testing.T) {
	l := newLiveSession(t)
	t.Run("nothing has changed", l.nothingHasChanged)
	t.Run("the clock goes back", l.clockGoesBack)
	t.Run("the list goes stale", l.listGoesStale)
	t.Run("no grace", l.noGrace)
	t.Run("if-valid", l.ifValid)
	t.Run("a newer list comes", l.newerListComes)
	t.Run("a stale list names it", l.staleListNamesIt)
	t.Run("no longer on the access list", l.noLongerOnTheAccessList)
	t.Run("the host name is still asked for", l.hostNameIsStillAskedFor)
	t.Run("the list is removed", l.listIsRemoved)
	t.Run("the policy no longer permits it", l.policyNoLongerPermitsIt)
	t.Run("it expires", l.expires)
	t.Run("the CA is replaced by one of the same name", l.caIsReplaced)
}

func (l *liveSession) nothingHasChanged(t *testing.T) {
	for _, at := range []time.Time{now, l.due.Add(-time.Second)} {
		if again, err := l.recheck(at); err != nil || again != l.session {
			t.Errorf("another result: %v", err)
		}
	}
}

func (l *liveSession) clockGoesBack(t *testing.T) {
	_, err := l.recheck(now.Add(-2 * time.Hour))
	wantRefusal(t, err, certs.CodeNotYetValid)
}

func (l *liveSession) listGoesStale(t *testing.T) {
	again, err := l.recheck(l.due)
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Warnings) != 1 || again.Warnings[0].Code != certs.CodeCRLExpired ||
		!strings.Contains(again.Warnings[0].Text, l.dir) {
		t.Errorf("warnings %v", again.Warnings)
	}
	end := l.due.Add(24 * time.Hour)
	if !again.NextEvent.Equal(end) {
		t.Errorf("next event %s, want the end of the grace %s", again.NextEvent, end)
	}
	third, err := l.endpoint.Recheck(again, end.Add(-time.Second))
	if err != nil || third != again {
		t.Errorf("another result: %v", err)
	}
	_, err = l.endpoint.Recheck(again, end)
	wantRefusal(t, err, certs.CodeCRLExpired)
	// New connections get no grace.
	_, err = certs.Verify(l.store.Snapshot(), l.host.Chain, anyone(certs.PeerClient, l.due, l.endpoint.Policy))
	wantRefusal(t, err, certs.CodeCRLExpired)
}

func (l *liveSession) noGrace(t *testing.T) {
	strict := &certs.Endpoint{Store: l.store, Policy: l.endpoint.Policy}
	strict.Policy.CRLGrace = 0
	_, err := strict.Recheck(l.session, l.due)
	wantRefusal(t, err, certs.CodeCRLExpired)
}

func (l *liveSession) ifValid(t *testing.T) {
	lax := &certs.Endpoint{Store: l.store, Policy: l.endpoint.Policy}
	lax.Policy.CRL = certs.CRLIfValid
	again, err := lax.Recheck(l.session, now)
	if err != nil || len(again.Warnings) > 0 || !again.NextEvent.Equal(l.due) {
		t.Fatalf("%v, %v", again, err)
	}
	again, err = lax.Recheck(again, l.due.AddDate(0, 0, 7))
	if err != nil || len(again.Warnings) != 1 {
		t.Fatalf("%v, %v", again, err)
	}
	if end := l.host.Certificate.NotAfter.Add(1); !again.NextEvent.Equal(end) {
		t.Errorf("next event %s, want the certificate's end %s", again.NextEvent, end)
	}
}

func (l *liveSession) newerListComes(t *testing.T) {
	l.write(certstest.CRLOptions{NextUpdate: l.due.Add(time.Hour)})
	reload(t, l.store)
	again, err := l.recheck(l.due)
	if err != nil || again == l.session || len(again.Warnings) > 0 || !again.NextEvent.Equal(l.due.Add(time.Hour)) {
		t.Errorf("%+v, %v", again, err)
	}
}

func (l *liveSession) staleListNamesIt(t *testing.T) {
	hash, _ := hashes(l.root)
	file := writeFile(t, filepath.Join(l.dir, hash+".r3"), must(l.root.NewCRL(naming(stale, l.host))), 0o644)
	reload(t, l.store)
	_, err := l.recheck(now)
	wantRefusal(t, err, certs.CodeRevoked)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	reload(t, l.store)
	secondLook(t, l.store)
	if _, err := l.recheck(now); err != nil {
		t.Error(err)
	}
}

func (l *liveSession) noLongerOnTheAccessList(t *testing.T) {
	changed := &certs.Endpoint{Store: l.store, Policy: l.endpoint.Policy}
	changed.Policy.Access = must(certs.NewAccess([]string{"other.test"}, nil, false))
	_, err := changed.Recheck(l.session, now)
	wantRefusal(t, err, certs.CodeNotAllowed)
	changed.Policy.Access = nil
	_, err = changed.Recheck(l.session, now)
	wantRefusal(t, err, certs.CodeNotAllowed)
}

func (l *liveSession) hostNameIsStillAskedFor(t *testing.T) {
	client := &certs.Endpoint{Store: l.store, Policy: l.endpoint.Policy}
	client.Policy.Access = nil
	toServer, err := certs.Verify(l.store.Snapshot(), l.host.Chain,
		held(certs.PeerServer, "host.test", now, client.Policy))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Recheck(toServer, now.Add(time.Minute)); err != nil {
		t.Error(err)
	}
}

func (l *liveSession) listIsRemoved(t *testing.T) {
	for _, file := range must(filepath.Glob(filepath.Join(l.dir, "*.r0"))) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	reload(t, l.store)
	if _, err := l.recheck(now); err != nil {
		t.Errorf("at the first look: %v", err)
	}
	secondLook(t, l.store)
	_, err := l.recheck(now)
	wantRefusal(t, err, certs.CodeCRLMissing)
	l.write(certstest.CRLOptions{NextUpdate: l.due})
	reload(t, l.store)
	if _, err := l.recheck(now); err != nil {
		t.Error(err)
	}
}

func (l *liveSession) policyNoLongerPermitsIt(t *testing.T) {
	policy := filepath.Join(l.dir, "Root.signing_policy")
	sane := must(os.ReadFile(policy))
	writeFile(t, policy, []byte(signing("Root", `"/DC=org/*"`)), 0o644)
	reload(t, l.store)
	_, err := l.recheck(now)
	wantRefusal(t, err, certs.CodePolicyDenied)
	writeFile(t, policy, sane, 0o644)
	reload(t, l.store)
}

func (l *liveSession) expires(t *testing.T) {
	l.write(certstest.CRLOptions{NextUpdate: now.AddDate(1, 0, 0)})
	reload(t, l.store)
	again, err := l.recheck(now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.endpoint.Recheck(again, again.NextEvent)
	wantRefusal(t, err, certs.CodeExpired)
	if _, err = l.endpoint.Recheck(again, l.host.Certificate.NotAfter); err != nil {
		t.Errorf("at its notAfter: %v", err)
	}
}

func (l *liveSession) caIsReplaced(t *testing.T) {
	writeFile(t, filepath.Join(l.dir, "Root.pem"),
		pemOf("CERTIFICATE", must(certstest.NewCA("Root", sound)).Certificate.Raw), 0o644)
	reload(t, l.store)
	_, err := l.recheck(now)
	wantRefusal(t, err, certs.CodeBadSignature)
}

// TestNextEvent: the moment that the latest of several good lists ends, and
// the one when a list begins that is not yet valid.
func TestNextEvent(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	sub := must(root.NewSubordinate("Sub", sound))
	host := must(sub.NewHost("host.test", sound))
	hours := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour).Truncate(time.Second) }
	until := func(at time.Time) certstest.CRLOptions { return certstest.CRLOptions{NextUpdate: at} }
	forever := certstest.CRLOptions{
		Mutate: func(l *x509.RevocationList) { l.NextUpdate = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) },
	}
	type lists []certstest.CRLOptions
	for name, test := range map[string]struct {
		root, sub lists
		want      time.Time
	}{
		"earliest of the elements": {lists{until(hours(5))}, lists{until(hours(3))}, hours(3)},
		"latest of the lists": {
			lists{until(hours(5)), until(hours(9)), stale}, lists{until(hours(8)), until(hours(3))}, hours(8),
		},
		"the certificate's end": {lists{forever}, lists{forever}, host.Certificate.NotAfter.Add(1)},
		"a list begins":         {lists{until(hours(9))}, lists{{ThisUpdate: hours(2), NextUpdate: hours(4)}}, hours(2)},
		"no lists":              {nil, nil, host.Certificate.NotAfter.Add(1)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := bare(t, root, sub)
			for i, o := range test.root {
				writeList(t, dir, root, i, o)
			}
			for i, o := range test.sub {
				writeList(t, dir, sub, i, o)
			}
			snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
			policy := certs.Policy{CRL: certs.CRLIfValid, Namespaces: certs.NamespacesIgnore}
			result, err := certs.Verify(snapshot, host.Chain, anyone(certs.PeerClient, now, policy))
			if err != nil {
				t.Fatal(err)
			}
			want := test.want
			for _, link := range result.Path {
				if end := link.Certificate.NotAfter.Add(1); end.Before(want) {
					want = end
				}
			}
			if !result.NextEvent.Equal(want) {
				t.Errorf("next event %s, want %s", result.NextEvent, want)
			}
		})
	}
}
