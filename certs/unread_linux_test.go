package certs_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// lease keeps a file from being opened, by anybody who does not wait, until
// release is called (fcntl(2), F_SETLEASE). Its stamp stays the same.
func lease(t testing.TB, path string) (release func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_SETLEASE, syscall.F_WRLCK); errno != 0 {
		t.Fatal("F_SETLEASE: ", errno)
	}
	return func() {
		t.Helper()
		if err := f.Close(); err != nil { // gives the lease up
			t.Fatal(err)
		}
	}
}

// TestUnreadFileIsReadLater: a list that could not be opened is read by the
// first load that can, though its stamp is the same; until then it is one
// problem, told once.
func TestUnreadFileIsReadLater(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	host := must(root.NewHost("host.test", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	file := writeList(t, dir, root, 0, current)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	verify := func() error {
		_, err := certs.Verify(store.Snapshot(), host.Chain,
			anyone(certs.PeerClient, now, certs.Policy{CRL: certs.CRLRequire}))
		return err
	}
	writeList(t, dir, root, 0, naming(current, host))
	store.PassTime(time.Hour) // the file is an old one
	release := lease(t, file)
	change := reload(t, store)
	wantChange(t, change, "1 new problem: "+file+": cannot be read: ")
	if !strings.HasSuffix(change.String(), "stays in use)") {
		t.Errorf("the change %v", change)
	}
	for range 2 {
		wantChange(t, reload(t, store))
		if err := verify(); err != nil {
			t.Errorf("by the list that was there before: %v", err)
		}
	}
	release()
	wantChange(t, reload(t, store), "1 CRL renewed", "1 problem solved")
	wantRefusal(t, verify(), certs.CodeRevoked)
}

// TestUnreadFileAtStart: the same where there is nothing to go on with.
func TestUnreadFileAtStart(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	host := must(root.NewHost("host.test", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	file := writeList(t, dir, root, 0, naming(current, host))
	release := lease(t, file)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	store.PassTime(time.Hour)
	reload(t, store) // by now the file is an old one
	release()
	wantChange(t, reload(t, store), "1 CRL added", "1 problem solved")
	_, err := certs.Verify(store.Snapshot(), host.Chain, anyone(certs.PeerClient, now, certs.Policy{}))
	wantRefusal(t, err, certs.CodeRevoked)
}

// TestUnreadFileWithAProblem: a file of which a part is used keeps that part,
// and its problem, while it cannot be read.
func TestUnreadFileWithAProblem(t *testing.T) {
	root, other := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Other", sound))
	host := must(root.NewHost("host.test", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root, other); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "Root.pem")
	both := append(pemOf("CERTIFICATE", host.Certificate.Raw), pemOf("CERTIFICATE", root.Certificate.Raw)...)
	writeFile(t, file, both, 0o644)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	if n := len(store.Snapshot().Problems()); n == 0 {
		t.Fatal("the file has no problem")
	}
	writeFile(t, file, both, 0o644)
	release := lease(t, file)
	defer release()
	if change := reload(t, store); len(change.Problems) == 0 || len(change.Solved) > 0 || len(change.CAs.Removed) > 0 {
		t.Errorf("the change %v", change)
	}
	for range 2 {
		if _, err := certs.Verify(store.Snapshot(), host.Chain, anyone(certs.PeerClient, now, certs.Policy{})); err != nil {
			t.Error(err)
		}
		wantChange(t, reload(t, store))
	}
}
