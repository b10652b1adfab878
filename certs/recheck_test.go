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

// TestRecheck judges a live session as its host's files and its clock change.
func TestRecheck(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	due := now.Add(time.Hour).Truncate(time.Second)
	list := certstest.CRLOptions{NextUpdate: due}
	write := func(o certstest.CRLOptions) { t.Helper(); must(certstest.WriteCRL(dir, root, o)) }
	write(list)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	host := must(root.NewHost("host.test", certstest.Options{NotAfter: now.Add(30 * 24 * time.Hour)}))
	access := must(certs.NewAccess([]string{"host.test"}, nil, false))
	endpoint := &certs.Endpoint{
		Store: store, Policy: certs.Policy{CRL: certs.CRLRequire, CRLGrace: 24 * time.Hour, Access: access},
	}
	session, err := certs.Verify(store.Snapshot(), host.Chain, anyone(certs.RoleClient, now, endpoint.Policy))
	if err != nil {
		t.Fatal(err)
	}
	if !session.NextEvent.Equal(due) {
		t.Errorf("next event %s, want the list's nextUpdate %s", session.NextEvent, due)
	}
	recheck := func(at time.Time) (*certs.Result, error) { return endpoint.Recheck(session, at) }

	t.Run("nothing has changed", func(t *testing.T) {
		for _, at := range []time.Time{now, due.Add(-time.Second)} {
			if again, err := recheck(at); err != nil || again != session {
				t.Errorf("another result: %v", err)
			}
		}
	})
	t.Run("the clock goes back", func(t *testing.T) {
		_, err := recheck(now.Add(-2 * time.Hour))
		wantRefusal(t, err, certs.CodeNotYetValid)
	})
	t.Run("the list goes stale", func(t *testing.T) {
		again, err := recheck(due)
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Warnings) != 1 || again.Warnings[0].Code != certs.CodeCRLExpired ||
			!strings.Contains(again.Warnings[0].Text, dir) {
			t.Errorf("warnings %v", again.Warnings)
		}
		end := due.Add(24 * time.Hour)
		if !again.NextEvent.Equal(end) {
			t.Errorf("next event %s, want the end of the grace %s", again.NextEvent, end)
		}
		third, err := endpoint.Recheck(again, end.Add(-time.Second))
		if err != nil || third != again {
			t.Errorf("another result: %v", err)
		}
		_, err = endpoint.Recheck(again, end)
		wantRefusal(t, err, certs.CodeCRLExpired)
		// New connections get no grace.
		_, err = certs.Verify(store.Snapshot(), host.Chain, anyone(certs.RoleClient, due, endpoint.Policy))
		wantRefusal(t, err, certs.CodeCRLExpired)
	})
	t.Run("no grace", func(t *testing.T) {
		strict := &certs.Endpoint{Store: store, Policy: endpoint.Policy}
		strict.Policy.CRLGrace = 0
		_, err := strict.Recheck(session, due)
		wantRefusal(t, err, certs.CodeCRLExpired)
	})
	t.Run("if-valid", func(t *testing.T) {
		lax := &certs.Endpoint{Store: store, Policy: endpoint.Policy}
		lax.Policy.CRL = certs.CRLIfValid
		again, err := lax.Recheck(session, now)
		if err != nil || len(again.Warnings) > 0 || !again.NextEvent.Equal(due) {
			t.Fatalf("%v, %v", again, err)
		}
		again, err = lax.Recheck(again, due.AddDate(0, 0, 7))
		if err != nil || len(again.Warnings) != 1 {
			t.Fatalf("%v, %v", again, err)
		}
		if end := host.Certificate.NotAfter.Add(1); !again.NextEvent.Equal(end) {
			t.Errorf("next event %s, want the certificate's end %s", again.NextEvent, end)
		}
	})
	t.Run("a newer list comes", func(t *testing.T) {
		write(certstest.CRLOptions{NextUpdate: due.Add(time.Hour)})
		reload(t, store)
		again, err := recheck(due)
		if err != nil || again == session || len(again.Warnings) > 0 || !again.NextEvent.Equal(due.Add(time.Hour)) {
			t.Errorf("%+v, %v", again, err)
		}
	})
	t.Run("a stale list names it", func(t *testing.T) {
		hash, _ := hashes(root)
		file := writeFile(t, filepath.Join(dir, hash+".r3"), must(root.NewCRL(naming(stale, host))), 0o644)
		reload(t, store)
		_, err := recheck(now)
		wantRefusal(t, err, certs.CodeRevoked)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		reload(t, store)
		secondLook(t, store)
		if _, err := recheck(now); err != nil {
			t.Error(err)
		}
	})
	t.Run("no longer on the access list", func(t *testing.T) {
		changed := &certs.Endpoint{Store: store, Policy: endpoint.Policy}
		changed.Policy.Access = must(certs.NewAccess([]string{"other.test"}, nil, false))
		_, err := changed.Recheck(session, now)
		wantRefusal(t, err, certs.CodeNotAllowed)
		changed.Policy.Access = nil
		_, err = changed.Recheck(session, now)
		wantRefusal(t, err, certs.CodeNotAllowed)
	})
	t.Run("the host name is still asked for", func(t *testing.T) {
		client := &certs.Endpoint{Store: store, Policy: endpoint.Policy}
		client.Policy.Access = nil
		toServer, err := certs.Verify(store.Snapshot(), host.Chain, held(certs.RoleServer, "host.test", now, client.Policy))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Recheck(toServer, now.Add(time.Minute)); err != nil {
			t.Error(err)
		}
	})
	t.Run("the list is removed", func(t *testing.T) {
		for _, file := range must(filepath.Glob(filepath.Join(dir, "*.r0"))) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		reload(t, store)
		if _, err := recheck(now); err != nil {
			t.Errorf("at the first look: %v", err)
		}
		secondLook(t, store)
		_, err := recheck(now)
		wantRefusal(t, err, certs.CodeCRLMissing)
		write(list)
		reload(t, store)
		if _, err := recheck(now); err != nil {
			t.Error(err)
		}
	})
	t.Run("the policy no longer permits it", func(t *testing.T) {
		policy := filepath.Join(dir, "Root.signing_policy")
		sane := must(os.ReadFile(policy))
		writeFile(t, policy, []byte(signing("Root", `"/DC=org/*"`)), 0o644)
		reload(t, store)
		_, err := recheck(now)
		wantRefusal(t, err, certs.CodePolicyDenied)
		writeFile(t, policy, sane, 0o644)
		reload(t, store)
	})
	t.Run("it expires", func(t *testing.T) {
		write(certstest.CRLOptions{NextUpdate: now.AddDate(1, 0, 0)})
		reload(t, store)
		again, err := recheck(now)
		if err != nil {
			t.Fatal(err)
		}
		_, err = endpoint.Recheck(again, again.NextEvent)
		wantRefusal(t, err, certs.CodeExpired)
		if _, err = endpoint.Recheck(again, host.Certificate.NotAfter); err != nil {
			t.Errorf("at its notAfter: %v", err)
		}
	})
	t.Run("the CA is replaced by one of the same name", func(t *testing.T) {
		writeFile(t, filepath.Join(dir, "Root.pem"),
			pemOf("CERTIFICATE", must(certstest.NewCA("Root", sound)).Certificate.Raw), 0o644)
		reload(t, store)
		_, err := recheck(now)
		wantRefusal(t, err, certs.CodeBadSignature)
	})
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
			result, err := certs.Verify(snapshot, host.Chain, anyone(certs.RoleClient, now, policy))
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
