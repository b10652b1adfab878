package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// spare is how long certificates must still be good for to be kept.
const spare = 30 * 24 * time.Hour

// ensure gives every host a directory below root that proves the host to the
// others and trusts them. Where anything is missing or about to expire, it
// makes all of them anew, since they share a CA whose key nobody has; made
// reports whether it did.
func ensure(root string, hosts []string, now time.Time) (made bool, err error) {
	if check(root, hosts, now.Add(spare)) == nil {
		return false, nil
	}
	ca, err := certstest.NewCA("Example Grid CA", certstest.Options{})
	if err != nil {
		return false, fmt.Errorf("make the CA: %w", err)
	}
	for _, name := range hosts {
		dir := filepath.Join(root, name)
		if err := empty(dir); err != nil {
			return false, err
		}
		host, err := ca.NewHost(name, certstest.Options{})
		if err != nil {
			return false, fmt.Errorf("make the certificate of %s: %w", name, err)
		}
		if _, _, err := host.Write(dir); err != nil {
			return false, err
		}
		if err := certstest.WriteCApath(filepath.Join(dir, "certificates"), ca); err != nil {
			return false, err
		}
	}
	if err := check(root, hosts, now); err != nil {
		return false, fmt.Errorf("what was made is not sound: %w", err)
	}
	return true, nil
}

// check judges every host's certificate as each of the hosts would do it at
// the time now.
func check(root string, hosts []string, now time.Time) error {
	for _, judge := range hosts {
		dir := filepath.Join(root, judge)
		if _, err := certs.LoadCredential(filepath.Join(dir, "hostcert.pem"), filepath.Join(dir, "hostkey.pem")); err != nil {
			return err
		}
		store, err := certs.OpenStore(certs.StoreConfig{CApath: filepath.Join(dir, "certificates")})
		if err != nil {
			return err
		}
		for _, host := range hosts {
			chain, err := readChain(os.DirFS(filepath.Join(root, host)), "hostcert.pem")
			if err != nil {
				return err
			}
			options := certs.VerifyOptions{Role: certs.PeerAny, Host: host, Time: now}
			if _, err := certs.Verify(store.Snapshot(), chain, options); err != nil {
				return fmt.Errorf("%s does not accept %s: %w", judge, host, err)
			}
		}
	}
	return nil
}

// readChain reads the certificates of a PEM file.
func readChain(folder fs.FS, file string) ([]*x509.Certificate, error) {
	text, err := fs.ReadFile(folder, file)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return nil, errors.New(file + " holds no certificate")
	}
	return chain, nil
}

// empty removes what is in dir, but not dir itself: it may be a mount point.
func empty(dir string) (err error) {
	folder, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	entries, err := fs.ReadDir(folder.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := folder.RemoveAll(entry.Name()); err != nil {
			return err
		}
	}
	return nil
}
