package tunnel_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// disturb has a command change the party's CApath over and over, and reloads
// it all the while, until it has been found incomplete often enough. Each look
// is followed by exchange.
func (p *party) disturb(t testing.TB, server *running, exchange func(), change func(ctx context.Context) error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience/2)
	defer stop()
	failed := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := change(ctx); err != nil && ctx.Err() == nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	incomplete := 0
	for looks := 0; incomplete < 5; looks++ {
		switch change, err := p.Store.Reload(); {
		case ctx.Err() != nil:
			t.Fatalf("of %d looks %d found the CApath incomplete", looks, incomplete)
		case err != nil:
			incomplete++
		case !change.Empty():
			server.Recheck()
			if len(change.Missing) > 0 {
				incomplete++
			}
			if len(change.Removed) > 0 || len(change.CAs.Removed) > 0 {
				t.Errorf("the change %s", change)
			}
		}
		exchange()
	}
	stop()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

// run runs a command of the operating system.
func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput() // #nosec G204 -- a test
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// TestRehash: neither an open session nor a new one minds what removes the
// names of CAs and lists and makes them again.
func TestRehash(t *testing.T) {
	for _, tool := range []string{"openssl", "c_rehash"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool+" is not installed")
		}
	}
	for name, change := range map[string]func(ctx context.Context, capath string) error{
		"c_rehash": func(ctx context.Context, capath string) error { return run(ctx, "c_rehash", capath) },
		"openssl rehash, by one hash and by the other": func(ctx context.Context, capath string) error {
			return errors.Join(run(ctx, "openssl", "rehash", "-old", capath), run(ctx, "openssl", "rehash", capath))
		},
		"another directory in its place": func(_ context.Context, capath string) error { return replaceDirectory(capath) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPKI(t)
			target, conns := held(t)
			policy := letIn(t)
			policy.CRL = certs.CRLRequire
			// Without any CA a directory is not even looked at.
			others := []*certstest.CA{newNamedPKI(t, "A CA").ca, newNamedPKI(t, "Another CA").ca}
			atServer := p.party(t, serverHost, certstest.Options{}, policy, others...)
			atServer.listAsLink(t, p.ca)
			if err := run(t.Context(), "c_rehash", atServer.capath); err != nil {
				t.Fatal(err)
			}
			atServer.reload(t)
			server := atServer.serve(t, target)
			client := p.party(t, clientHost, certstest.Options{}, certs.Policy{}).connect(t, server)
			near, far := openSession(t, client, conns)
			atServer.disturb(t, server, func() { exchangeAcross(t, near, far) },
				func(ctx context.Context) error { return change(ctx, atServer.capath) })
			newNear, newFar := openSession(t, client, conns)
			server.Recheck()
			exchangeAcross(t, newNear, newFar)
			if got := server.Status(); len(got.SessionsRefused) > 0 || len(got.Refused) > 0 {
				t.Errorf("refused %v, sessions refused %v", got.Refused, got.SessionsRefused)
			}
		})
	}
}

// listAsLink installs a CRL under a name of its own, to which openssl rehash
// makes the links.
func (p *party) listAsLink(t testing.TB, ca *certstest.CA) {
	t.Helper()
	der, err := ca.NewCRL(certstest.CRLOptions{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.capath, aliasOf(ca)+".crl")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replaceDirectory puts a copy of a directory in its place, not in one step.
func replaceDirectory(directory string) error {
	copied, old := directory+".copy", directory+".old"
	if err := os.CopyFS(copied, os.DirFS(directory)); err != nil {
		return err
	}
	if err := os.Rename(directory, old); err != nil {
		return err
	}
	if err := os.Rename(copied, directory); err != nil {
		return err
	}
	return os.RemoveAll(old)
}
