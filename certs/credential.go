package certs

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// Credential is the host's own certificate chain and private key.
type Credential struct {
	certFile, keyFile string
	reload            sync.Mutex // one Reload at a time
	current           atomic.Pointer[keyPair]
	wire              atomic.Pointer[wireChain]
}

// keyPair is an immutable certificate chain with its key.
type keyPair struct {
	chain    []*element // the host's own first, then the rest of the file
	key      crypto.Signer
	identity Identity
	stamps   [2]stamp // of the certificate's file and the key's when they were read
	settled  bool     // they show any change since
}

// same reports whether two pairs send the same certificates. The key follows
// from the first of them.
func (pair *keyPair) same(other *keyPair) bool {
	return slices.EqualFunc(pair.chain, other.chain, func(a, b *element) bool { return a.cert.Equal(b.cert) })
}

// LoadCredential reads a certificate chain and its key from PEM files (they
// may be the same file). It refuses a key that others than its owner may
// read, one that does not belong to the certificate, an encrypted key and an
// expired certificate, and says in each case what to do: the error has a
// Hint.
//
// Below $CREDENTIALS_DIRECTORY the group may read the key: systemd grants
// the service its access by an ACL, which shows there.
func LoadCredential(certFile, keyFile string) (*Credential, error) {
	c := &Credential{certFile: certFile, keyFile: keyFile}
	if _, err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads both files again if one has changed, swaps the pair in, and
// reports whether it is another one. If it fails, the Credential keeps what it
// had, and Reload fails again until the files are put right.
func (c *Credential) Reload() (changed bool, err error) {
	c.reload.Lock()
	defer c.reload.Unlock()
	now := time.Now()
	stamps := [2]stamp{}
	for i, file := range []string{c.certFile, c.keyFile} {
		stamps[i], _ = statFile(file)
	}
	before := c.current.Load()
	if before != nil && before.settled && before.stamps == stamps {
		return false, nil
	}
	pair, err := loadKeyPair(c.certFile, c.keyFile, now)
	if before != nil && before.stamps == stamps && errors.Is(err, fs.ErrPermission) {
		return false, nil // a process that has left root since cannot look, and nothing shows a change
	}
	if err != nil {
		return false, err
	}
	pair.stamps, pair.settled = stamps, stamps[0].settled(now) && stamps[1].settled(now)
	c.current.Store(pair)
	return before == nil || !pair.same(before), nil
}

// Files are the paths of the certificate and the key.
func (c *Credential) Files() (certFile, keyFile string) { return c.certFile, c.keyFile }

// Chain is what the certificate's file holds, the host's own certificate
// first, as Verify takes it. The caller must not change the certificates.
func (c *Credential) Chain() []*x509.Certificate {
	var chain []*x509.Certificate
	for _, e := range c.current.Load().chain {
		chain = append(chain, e.cert)
	}
	return chain
}

// Identity is who the credential says that this host is.
func (c *Credential) Identity() Identity { return c.current.Load().identity }

// Certificate is the host's own certificate. The caller must not change it.
func (c *Credential) Certificate() *x509.Certificate { return c.current.Load().chain[0].cert }

func loadKeyPair(certFile, keyFile string, now time.Time) (*keyPair, error) {
	chain, err := loadChain(certFile)
	if err != nil {
		return nil, err
	}
	leaf := chain[0]
	if reason := unusableKey(leaf.cert); reason != "" {
		return nil, &setupError{
			message: fmt.Sprintf("the certificate %s (%s) cannot be a host's: %s", certFile, leaf.subject.Brief(), reason),
			hint:    keyHint,
			cause:   refuse(leaf, 0, CodeUnsupported, "%s", reason),
		}
	}
	key, err := loadKey(keyFile)
	if err != nil {
		return nil, err
	}
	if !matches(key, leaf) {
		e := &setupError{
			message: fmt.Sprintf("the key %s does not belong to the certificate %s (%s)", keyFile, certFile,
				leaf.subject.Brief()),
			hint: fmt.Sprintf("install the pair that belongs together; these two commands must print the same: "+
				"openssl x509 -noout -pubkey -in %s; openssl pkey -pubout -in %s",
				shellQuote(certFile), shellQuote(keyFile)),
		}
		for i, other := range chain[1:] {
			if matches(key, other) {
				e.message = fmt.Sprintf("certificate %d of %s belongs to the key %s; the first one does not",
					i+2, certFile, keyFile)
				e.hint = "put the host's own certificate first in " + certFile
			}
		}
		return nil, e
	}
	if err := judgeOwn(chain, certFile, now); err != nil {
		return nil, err
	}
	return &keyPair{chain: chain, key: key, identity: identify(leaf, HostModeGrid)}, nil
}

// judgeOwn refuses what every peer would refuse.
func judgeOwn(chain []*element, file string, now time.Time) error {
	leaf := chain[0]
	nobody := &search{snapshot: &Snapshot{}, sent: make(map[string][]*element)}
	for _, e := range chain[1:] {
		nobody.sent[e.subjectKey] = append(nobody.sent[e.subjectKey], e)
	}
	switch {
	case now.After(leaf.cert.NotAfter):
		return &setupError{
			message: fmt.Sprintf("the certificate %s (%s) has ended on %s: every peer refuses it", file, leaf.subject.Brief(),
				formatTime(leaf.cert.NotAfter)),
			hint:  "ask your CA for a new one, and check this host's clock: timedatectl",
			cause: refuse(leaf, 0, CodeExpired, "it ended on %s", formatTime(leaf.cert.NotAfter)),
		}
	case now.Before(leaf.cert.NotBefore):
		return &setupError{
			message: fmt.Sprintf("the certificate %s (%s) begins only on %s", file, leaf.subject.Brief(),
				formatTime(leaf.cert.NotBefore)),
			hint: "check this host's clock (timedatectl), or wait until then",
		}
	}
	if refusal := nobody.judgeHolder(leaf); refusal != nil {
		return &setupError{
			message: fmt.Sprintf("the certificate %s (%s) cannot be a host's: %s", file, leaf.subject.Brief(), refusal.Reason),
			hint:    "give the host's own certificate with ‹cert›, usually /etc/grid-security/hostcert.pem",
			cause:   refusal,
		}
	}
	return nil
}

// loadChain reads the host's certificate and those above it.
func loadChain(file string) ([]*element, error) {
	data, err := files.Read(file, maxFileBytes)
	if err != nil {
		return nil, fileError("certificate", "‹cert›", file, err)
	}
	var chain []*element
	for i, f := range parseCertificates(data) {
		if f.err != nil {
			return nil, f.unreadable(file, i)
		}
		chain = append(chain, f.element)
	}
	if len(chain) > 0 {
		return chain, nil
	}
	e := &setupError{
		message: fmt.Sprintf("no certificate in %s", file),
		hint:    "give a PEM file that begins with the host's certificate with ‹cert›",
	}
	if holdsKey(data) {
		e.message += ": it holds a private key"
		e.hint = "give the certificate with ‹cert› and the key with ‹key›; are the two exchanged?"
	}
	return nil, e
}

// unreadable explains a certificate of a chain that cannot be read; i is its
// place, 0 for the host's own.
func (f fileCertificate) unreadable(file string, i int) error {
	look := "look at it: openssl x509 -text -noout -in " + shellQuote(file)
	refusal := refuse(nil, i, CodeMalformed, "it cannot be read: %v", f.err)
	refusal.File, refusal.Line = file, f.line
	hint := "copy the file anew from what the CA sent, and " + look
	switch {
	case isUnsupportedCurve(f.err.Error()):
		refusal.Code, refusal.Cure, hint = CodeUnsupported, keyCure, keyHint
		if i > 0 {
			refusal.Cure, hint = anotherCA, anotherCA
		}
	case errors.Is(f.err, errRelativePoint):
		refusal.Cure, hint = relativePointCure, relativePointCure
	case f.whole:
		hint = "its CA must issue it anew: no TLS handshake of gtunnel can use it as it is; " + look
	}
	return &setupError{
		message: fmt.Sprintf("a certificate of %s cannot be read: %v", files.Position(file, f.line), f.err),
		hint:    hint,
		cause:   errors.Join(refusal, f.err),
	}
}

// loadKey reads a private key that only its owner can read.
func loadKey(file string) (crypto.Signer, error) {
	f, err := files.Open(file)
	if err != nil {
		return nil, fileError("key", "‹key›", file, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := checkKeyFile(f); err != nil {
		return nil, err
	}
	data, err := files.ReadAll(f, maxFileBytes)
	if err != nil {
		return nil, fileError("key", "‹key›", file, err)
	}
	return parseKey(file, data)
}

// fileError explains a file that cannot be read.
func fileError(what, flag, file string, err error) error {
	e := &setupError{message: fmt.Sprintf("cannot read the %s: %v", what, err), cause: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.hint = fmt.Sprintf("install the host's %s there, or give its path with %s", what, flag)
	case errors.Is(err, fs.ErrPermission):
		e.hint = fmt.Sprintf("run gtunnel as the owner of the file, or name a copy of its user's own, "+
			"as gtunnel-credentials.service makes them: ls -lL %s", shellQuote(file))
	default:
		e.hint = fmt.Sprintf("give a PEM file with the host's %s with %s", what, flag)
	}
	return e
}

// checkKeyFile demands a mode of 0400 or 0600 and an owner that is this user
// or root, as Globus does.
func checkKeyFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fileError("key", "‹key›", f.Name(), err)
	}
	forbidden := fs.FileMode(0o177)
	if isSystemdCredential(f.Name()) {
		forbidden &^= 0o070
	}
	mode := info.Mode().Perm()
	if mode&forbidden != 0 {
		why := "others than its owner can use it"
		if mode&forbidden == 0o100 {
			why = "a key is nothing to execute"
		}
		return &setupError{
			message: fmt.Sprintf("the key %s has the mode %04o: %s", f.Name(), mode, why),
			hint:    "chmod 0400 " + shellQuote(f.Name()),
		}
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return &setupError{
			message: fmt.Sprintf("the key %s belongs to the user %d, who is neither this one (%d) nor root", f.Name(), stat.Uid,
				os.Geteuid()),
			hint: fmt.Sprintf("chown %d %s", os.Geteuid(), shellQuote(f.Name())),
		}
	}
	return nil
}

// isSystemdCredential reports whether systemd handed the file to this service
// (systemd.exec(5), LoadCredential).
func isSystemdCredential(file string) bool {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return false
	}
	relative, err := filepath.Rel(os.Getenv("CREDENTIALS_DIRECTORY"), absolute) // fails if that is no absolute path
	return err == nil && filepath.IsLocal(relative) && relative != "."
}

// matches reports whether a key is that of a certificate.
func matches(key crypto.Signer, e *element) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(e.cert.PublicKey)
}
