package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Credential is the host's own certificate chain and private key.
type Credential struct {
	certFile, keyFile string
	reload            sync.Mutex // one Reload at a time
	current           atomic.Pointer[keyPair]
	wire              atomic.Pointer[wireChain]
}

// wireChain remembers what a key pair sends under a snapshot.
type wireChain struct {
	pair        *keyPair
	snapshot    *Snapshot
	certificate *tls.Certificate
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
	key, err := loadKey(keyFile)
	if err != nil {
		return nil, err
	}
	leaf := chain[0]
	if !matches(key, leaf) {
		e := &setupError{
			message: fmt.Sprintf("the key %s does not belong to the certificate %s (%s)", keyFile, certFile, leaf.subject.brief()),
			hint: fmt.Sprintf("install the pair that belongs together; these two commands must print the same: openssl x509 -noout -pubkey -in %s; openssl pkey -pubout -in %s",
				shellQuote(certFile), shellQuote(keyFile)),
		}
		for i, other := range chain[1:] {
			if matches(key, other) {
				e.message = fmt.Sprintf("certificate %d of %s belongs to the key %s; the first one does not", i+2, certFile, keyFile)
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
			message: fmt.Sprintf("the certificate %s (%s) expired on %s", file, leaf.subject.brief(), formatTime(leaf.cert.NotAfter)),
			hint:    "ask your CA for a new one, and check this host's clock: timedatectl",
		}
	case now.Before(leaf.cert.NotBefore):
		return &setupError{
			message: fmt.Sprintf("the certificate %s (%s) begins only on %s", file, leaf.subject.brief(), formatTime(leaf.cert.NotBefore)),
			hint:    "check this host's clock (timedatectl), or wait until then",
		}
	}
	if refusal := nobody.judgeHolder(leaf); refusal != nil {
		return &setupError{
			message: fmt.Sprintf("the certificate %s (%s) cannot be a host's: %s", file, leaf.subject.brief(), refusal.Reason),
			hint:    "give the host's own certificate with --cert, usually /etc/grid-security/hostcert.pem",
			cause:   refusal,
		}
	}
	return nil
}

// loadChain reads the host's certificate and those above it.
func loadChain(file string) ([]*element, error) {
	data, err := readFile(file, maxFileBytes)
	if err != nil {
		return nil, fileError("certificate", "--cert", file, err)
	}
	var chain []*element
	for i, f := range parseCertificates(data) {
		if f.err != nil {
			refusal := refuse(nil, i, CodeMalformed, "it cannot be read: %v", f.err)
			refusal.File, refusal.Line = file, f.line
			hint := "copy the file anew from what the CA sent, and look at it: openssl x509 -text -noout -in " + shellQuote(file)
			if errors.Is(f.err, errRelativePoint) {
				refusal.Cure, hint = relativePointCure, relativePointCure
			}
			return nil, &setupError{
				message: fmt.Sprintf("a certificate of %s cannot be read: %v", position(file, f.line), f.err),
				hint:    hint,
				cause:   errors.Join(refusal, f.err),
			}
		}
		chain = append(chain, f.element)
	}
	if len(chain) > 0 {
		return chain, nil
	}
	e := &setupError{
		message: fmt.Sprintf("no certificate in %s", file),
		hint:    "give a PEM file that begins with the host's certificate with --cert",
	}
	if holdsKey(data) {
		e.message += ": it holds a private key"
		e.hint = "give the certificate with --cert and the key with --key; are the two exchanged?"
	}
	return nil, e
}

// loadKey reads a private key that only its owner can read.
func loadKey(file string) (crypto.Signer, error) {
	f, err := openRegular(file)
	if err != nil {
		return nil, fileError("key", "--key", file, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := checkKeyFile(f); err != nil {
		return nil, err
	}
	data, err := readAll(f, maxFileBytes)
	if err != nil {
		return nil, fileError("key", "--key", file, err)
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
		e.hint = fmt.Sprintf("run gtunnel as the owner of the file, or hand it over by systemd's LoadCredential: ls -lL %s", shellQuote(file))
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
		return fileError("key", "--key", f.Name(), err)
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
			message: fmt.Sprintf("the key %s belongs to the user %d, who is neither this one (%d) nor root", f.Name(), stat.Uid, os.Geteuid()),
			hint:    fmt.Sprintf("chown %d %s", os.Geteuid(), shellQuote(f.Name())),
		}
	}
	return nil
}

// isSystemdCredential reports whether systemd handed the file to this service
// (systemd.exec(5), LoadCredential).
func isSystemdCredential(file string) bool {
	directory := os.Getenv("CREDENTIALS_DIRECTORY")
	if !filepath.IsAbs(directory) {
		return false
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return false
	}
	relative, err := filepath.Rel(directory, absolute)
	return err == nil && filepath.IsLocal(relative) && relative != "."
}

// parseKey finds the private key of a PEM file.
func parseKey(file string, data []byte) (crypto.Signer, error) {
	certificate := false
	for _, block := range readPEM(data) {
		switch {
		case block.label == "CERTIFICATE" || block.label == "X509 CERTIFICATE":
			certificate = true
			continue
		case !strings.HasSuffix(block.label, "PRIVATE KEY") && block.label != "":
			continue
		case block.err != nil:
			return nil, &setupError{
				message: fmt.Sprintf("the key %s cannot be read: %v", position(file, block.line), block.err),
				hint:    "copy the key anew from where it was made",
				cause:   block.err,
			}
		case block.encrypted || block.label == "ENCRYPTED PRIVATE KEY":
			return nil, &setupError{
				message: fmt.Sprintf("the key %s is encrypted, and nobody is there to type the pass phrase", file),
				hint: fmt.Sprintf("decrypt it once: (umask 077; openssl pkey -in %[1]s -out %[2]s), then use %[2]s",
					shellQuote(file), shellQuote(file+".plain")),
			}
		}
		return parseKeyBlock(file, block)
	}
	e := &setupError{
		message: fmt.Sprintf("no private key in %s", file),
		hint:    "give the PEM file of the host's private key with --key",
	}
	if certificate {
		e.message += ": it holds a certificate"
		e.hint = "give the certificate with --cert and the key with --key; are the two exchanged?"
	}
	return nil, e
}

func parseKeyBlock(file string, block pemBlock) (crypto.Signer, error) {
	var key any
	var err error
	switch block.label {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.der)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.der)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.der)
	case "":
		err = errors.New("it is not PEM")
	default:
		err = fmt.Errorf("it is a key of the kind %s", block.label)
	}
	if err == nil {
		switch signer := key.(type) {
		case *rsa.PrivateKey:
			return signer, nil
		case *ecdsa.PrivateKey:
			return signer, nil
		case ed25519.PrivateKey:
			return signer, nil
		}
		err = fmt.Errorf("keys of the type %T cannot sign a TLS handshake", key)
	}
	e := &setupError{
		message: fmt.Sprintf("the key %s cannot be read: %v", position(file, block.line), err),
		hint:    "look at it: openssl pkey -noout -text -in " + shellQuote(file),
		cause:   err,
	}
	if block.label == "" {
		e.hint = fmt.Sprintf("if it is a DER file: openssl pkey -inform DER -in %[1]s -out %[1]s.pem; if it is PKCS #12: openssl pkcs12 -nodes -in %[1]s -out %[1]s.pem", shellQuote(file))
	}
	return nil, e
}

// holdsKey reports whether a PEM file has a private key.
func holdsKey(data []byte) bool {
	for _, block := range readPEM(data) {
		if strings.HasSuffix(block.label, "PRIVATE KEY") {
			return true
		}
	}
	return false
}

// matches reports whether a key is that of a certificate.
func matches(key crypto.Signer, e *element) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(e.cert.PublicKey)
}

// tlsCertificate is what goes over the wire: the chain of the file and, if
// it ends before an installed root, the installed subordinates above it, so
// that peers need not hold them. Roots are not sent. A nil Credential sends
// nothing.
func (c *Credential) tlsCertificate(snapshot *Snapshot) *tls.Certificate {
	if c == nil {
		return new(tls.Certificate)
	}
	pair := c.current.Load()
	if wire := c.wire.Load(); wire != nil && wire.pair == pair && wire.snapshot == snapshot {
		return wire.certificate
	}
	certificate := pair.complete(snapshot)
	c.wire.Store(&wireChain{pair, snapshot, certificate})
	return certificate
}

func (pair *keyPair) complete(snapshot *Snapshot) *tls.Certificate {
	certificate := &tls.Certificate{PrivateKey: pair.key, Leaf: pair.chain[0].cert}
	for _, e := range pair.chain {
		certificate.Certificate = append(certificate.Certificate, e.cert.Raw)
	}
	top := pair.chain[len(pair.chain)-1]
	for range defaultMaxDepth {
		next := snapshot.issuerOf(top)
		if next == nil || next.anchor {
			break
		}
		certificate.Certificate = append(certificate.Certificate, next.cert.Raw)
		top = next
	}
	return certificate
}

// issuerOf gives the installed CA whose key signed a certificate; nil if
// there is none, or if the certificate is a root itself.
func (s *Snapshot) issuerOf(child *element) *element {
	if child.selfSigned() {
		return nil
	}
	for _, issuer := range s.issuers(child) {
		if issuer.cert.CheckSignature(child.cert.SignatureAlgorithm, child.cert.RawTBSCertificate, child.cert.Signature) == nil {
			return issuer
		}
	}
	return nil
}
