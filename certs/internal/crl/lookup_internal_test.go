package crl

import (
	"bytes"
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/gtunnel/gtunnel/certs/internal/files"
)

func TestCRLLookup(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte{0x7f}, 20)
	far := time.Date(2051, 1, 1, 0, 0, 0, 0, time.UTC)
	entries := []testEntry{
		{serial: []byte{1}, date: testThisUpdate},
		{serial: []byte{0, 0x80}, date: testThisUpdate, extensions: []testExtension{reason(1)}},
		{serial: []byte{0x9a}, date: testThisUpdate}, // negative
		{serial: []byte{0, 0, 5}, date: testThisUpdate, extensions: []testExtension{reason(6)}},
		{serial: long, date: far, extensions: []testExtension{{oid: oidInvalidityDate, value: []byte{0x18, 0}}, reason(8)}},
		{serial: []byte{0}, date: testThisUpdate, extensions: []testExtension{reason(7)}},
		{serial: []byte{66}, date: testThisUpdate, extensions: []testExtension{reason(99)}},
		{serial: []byte{102}, date: testThisUpdate},
	}
	for version := 1; version <= 2; version++ {
		c := testList{version: version, entries: entries}.parse(t)
		for _, test := range []struct {
			serial *big.Int
			want   *Revocation
		}{
			{big.NewInt(1), &Revocation{Date: testThisUpdate}},
			{big.NewInt(0x80), &Revocation{Date: testThisUpdate, Reason: "keyCompromise"}},
			{big.NewInt(5), &Revocation{Date: testThisUpdate, Reason: "certificateHold"}},
			{new(big.Int).SetBytes(long), &Revocation{Date: far, Reason: "removeFromCRL"}},
			{big.NewInt(0), &Revocation{Date: testThisUpdate}},
			{big.NewInt(66), &Revocation{Date: testThisUpdate}},
			{big.NewInt(0x9a), nil},
			{big.NewInt(102), &Revocation{Date: testThisUpdate}},
			{big.NewInt(-102), nil},
			{big.NewInt(2), nil},
			{big.NewInt(0x8000), nil},
			{new(big.Int).Lsh(big.NewInt(1), 2000), nil},
		} {
			for range 2 { // from the file, then from memory
				got, revoked := c.Lookup(test.serial)
				if revoked != (test.want != nil) ||
					revoked && (!got.Date.Equal(test.want.Date) || got.Reason != test.want.Reason || got.Unconfirmed) {
					t.Errorf("version %d: lookup(%v) = %+v, %t; want %+v", version, test.serial, got, revoked, test.want)
				}
			}
		}
	}
}

// A hash on the list is not enough: the serial itself must be.
func TestCRLLookupCollision(t *testing.T) {
	t.Parallel()
	c := testList{entries: []testEntry{{serial: []byte{1}, date: testThisUpdate}}}.parse(t)
	other := testList{entries: []testEntry{{serial: []byte{2}, date: testThisUpdate}}}.parse(t)
	other.seed = c.seed
	if err := other.readEntries(entriesOf(t, []byte{0x30, 0x12, 2, 1, 2, 0x17, 0x0d}, "260102030405Z")); err != nil {
		t.Fatal(err)
	}
	c.revoked = append(c.revoked, other.revoked...)
	slices.Sort(c.revoked)
	if got, revoked := c.Lookup(big.NewInt(2)); revoked {
		t.Errorf("a colliding hash revokes: %+v", got)
	}
	if _, revoked := c.Lookup(big.NewInt(1)); !revoked {
		t.Error("the listed serial is not revoked")
	}
}

func entriesOf(t *testing.T, head []byte, date string) cryptobyte.String {
	t.Helper()
	return cryptobyte.String(append(head, date...))
}

// When the file has changed since it was loaded the list still refuses.
func TestCRLLookupChanged(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "12345678.r0")
	write := func(list testList) {
		t.Helper()
		if err := os.WriteFile(file, list.der(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := testList{
		entries: []testEntry{{serial: []byte{1}, date: testThisUpdate}, {serial: []byte{2}, date: testThisUpdate}},
	}
	write(list)
	data, err := files.Read(file, MaxBytes)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseOnly(file, data)
	if err != nil {
		t.Fatal(err)
	}
	if got, revoked := c.Lookup(big.NewInt(1)); !revoked || got.Unconfirmed || !got.Date.Equal(testThisUpdate) {
		t.Fatalf("lookup = %+v, %t", got, revoked)
	}
	changes := []func(){
		func() { write(testList{}) },
		func() { _ = os.WriteFile(file, nil, 0o644) },
		func() { _ = os.WriteFile(file, []byte("\x30\x03abc"), 0o644) },
		func() { _ = os.Remove(file) },
		func() { _ = syscall.Mkfifo(file, 0o644) },
	}
	for i, change := range changes {
		change()
		if got, revoked := c.Lookup(big.NewInt(2)); !revoked || !got.Unconfirmed || !got.Date.IsZero() {
			t.Errorf("change %d: lookup = %+v, %t, want an unconfirmed revocation", i, got, revoked)
		}
		if got, revoked := c.Lookup(big.NewInt(1)); !revoked || got.Unconfirmed {
			t.Errorf("change %d: lookup = %+v, %t, want the one found before", i, got, revoked)
		}
		if _, revoked := c.Lookup(big.NewInt(3)); revoked {
			t.Errorf("change %d: a serial that was never listed is revoked", i)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	write(testList{entries: list.entries[:1]})
	if got, _ := c.Lookup(big.NewInt(2)); !got.Unconfirmed {
		t.Error("another list confirms")
	}
}

// A list that is no longer in its file is not read again at each look-up, and
// nobody else waits while it is read.
func TestCRLLookupOfMissingFile(t *testing.T) {
	t.Parallel()
	c := testList{
		entries: []testEntry{{serial: []byte{1}, date: testThisUpdate}, {serial: []byte{2}, date: testThisUpdate}},
	}.parse(t)
	sound := c.source.read
	if got, revoked := c.Lookup(big.NewInt(1)); !revoked || got.Unconfirmed {
		t.Fatalf("lookup = %+v, %t", got, revoked)
	}
	reads := 0
	reading, gone := make(chan struct{}), make(chan struct{})
	c.source.read = func() ([]byte, error) {
		reads++
		close(reading)
		<-gone // as a file server that does not answer
		return nil, errors.New("gone")
	}
	var waiting sync.WaitGroup
	unconfirmed := func() {
		if got, revoked := c.Lookup(big.NewInt(2)); !revoked || !got.Unconfirmed {
			t.Errorf("lookup = %+v, %t", got, revoked)
		}
	}
	for range 20 {
		waiting.Go(unconfirmed)
	}
	<-reading
	// This would wait for ever.
	if got, revoked := c.Lookup(big.NewInt(1)); !revoked || got.Unconfirmed {
		t.Errorf("lookup = %+v, %t", got, revoked)
	}
	_ = c.SignedBy(testCA(t, testKeys().ecdsa, x509.KeyUsageCRLSign))
	close(gone)
	waiting.Wait()
	c.source.read = func() ([]byte, error) { reads++; return sound() }
	unconfirmed()
	if reads != 1 {
		t.Errorf("the file was read %d times", reads)
	}
	c.source.failed = time.Now().Add(-rereadPause)
	if got, revoked := c.Lookup(big.NewInt(2)); !revoked || got.Unconfirmed {
		t.Errorf("after the pause: lookup = %+v, %t", got, revoked)
	}
}

func TestCRLLookupConcurrent(t *testing.T) {
	t.Parallel()
	c := testList{
		entries: []testEntry{{serial: []byte{1}, date: testThisUpdate}, {serial: []byte{2}, date: testThisUpdate}},
	}.parse(t)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 100 {
				if _, revoked := c.Lookup(big.NewInt(int64(i % 4))); revoked != (i%4 == 1 || i%4 == 2) {
					t.Errorf("worker %d: serial %d: revoked %t", n, i%4, revoked)
				}
			}
		})
	}
	wg.Wait()
}

// The memory of what was looked up is bounded.
func TestCRLConfirmedBound(t *testing.T) {
	t.Parallel()
	var list testList
	for i := range maxConfirmed + 10 {
		list.entries = append(list.entries, testEntry{serial: []byte{1, byte(i >> 8), byte(i)}, date: testThisUpdate})
	}
	c := list.parse(t)
	for i := range maxConfirmed + 10 {
		if _, revoked := c.Lookup(big.NewInt(1<<16 + int64(i))); !revoked {
			t.Fatalf("entry %d is not revoked", i)
		}
		if len(c.memory.confirmed) > maxConfirmed {
			t.Fatalf("%d serials are remembered", len(c.memory.confirmed))
		}
	}
}
