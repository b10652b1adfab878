package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// noAnchor explains a store without a CA that a path may end at.
func (s *Snapshot) noAnchor() error {
	places := strings.Join(slices.DeleteFunc([]string{s.config.CApath, s.config.CAfile},
		func(s string) bool { return s == "" }), " and ")
	message := fmt.Sprintf("no usable CA in %s", places)
	hint := "install the packages of the CAs that issue the peers' certificates (igtf-policy-classic on Debian, " +
		"ca-policy-egi-core on EL)"
	if len(s.cas) > 0 {
		message += ": there are only subordinate CAs, and no self-signed root above them"
		hint = fmt.Sprintf("install the root too: %s", s.cas[0].Subject.Brief())
	} else if len(s.problems) > 0 {
		message += ": first problem: " + s.problems[0].String()
	}
	return &setupError{message: message, hint: hint}
}

// directoryError explains a CApath that cannot be listed.
func directoryError(directory string, err error) error {
	e := &setupError{message: "cannot read the CApath: " + err.Error(), cause: err}
	info, statErr := os.Stat(directory)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.hint = "install the packages of your CAs (igtf-policy-classic on Debian, " +
			"ca-policy-egi-core on EL), or give the directory with ‹capath›"
	case errors.Is(err, fs.ErrPermission):
		e.hint = "let this user list the directory: chmod a+rx " + shellQuote(directory)
	case statErr == nil && !info.IsDir():
		e.message = fmt.Sprintf("the CApath %s is not a directory", directory)
		e.hint = "give a directory with ‹capath›; a single file of CAs is given with ‹cafile›"
	default:
		e.hint = "check the directory given with ‹capath›: ls -ld " + shellQuote(directory)
	}
	return e
}

// noHashNames explains a directory without a file named as a CA.
func noHashNames(directory string, entries []os.DirEntry) error {
	isCertificate := func(entry os.DirEntry) bool {
		return slices.Contains([]string{".pem", ".crt", ".cer", ".cert"}, filepath.Ext(entry.Name()))
	}
	e := &setupError{
		message: fmt.Sprintf("the CApath %s holds no CA", directory),
		hint: "install the packages of your CAs (igtf-policy-classic on Debian, " +
			"ca-policy-egi-core on EL), or give another directory with ‹capath›",
	}
	if i := slices.IndexFunc(entries, isCertificate); i >= 0 {
		e.message += fmt.Sprintf(": it has certificate files such as %s, but none with a hash name such as 1234abcd.0",
			entries[i].Name())
		e.hint = "make the hash names: openssl rehash " + shellQuote(directory)
	} else if len(entries) == 0 {
		e.message += ": it is empty"
	}
	return e
}

// uselessCAfile explains a CA file without a CA.
func (b *builder) uselessCAfile(f *trustFile) error {
	if f.content == nil {
		_, err := files.Read(f.path, maxFileBytes)
		if err == nil {
			err = fmt.Errorf("%s: %s", f.path, f.problems[0].Message)
		}
		return &setupError{
			message: "cannot read the CA file: " + err.Error(),
			hint:    "check the path given to ‹cafile› and that this user may read it: ls -lL " + shellQuote(f.path),
			cause:   err,
		}
	}
	return &setupError{
		message: fmt.Sprintf("no usable CA in the CA file %s: %s", f.path, f.problems[0]),
		hint:    "give ‹cafile› a PEM file with the certificate of the CA that issues the peers' certificates",
	}
}
