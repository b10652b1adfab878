package certs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// loader builds a Snapshot.
type loader struct {
	snapshot *Snapshot
	ca       map[*element]*CA
	parsed   map[string][]fileCertificate // by content: both hash names are links to one file
}

// loadSnapshot reads a CApath and a CA file.
func loadSnapshot(config StoreConfig) (*Snapshot, error) {
	if config.CApath == "" && config.CAfile == "" {
		return nil, &setupError{
			message: "there is no CA to trust: neither a CApath nor a CA file is given",
			hint:    "give --capath /etc/grid-security/certificates",
		}
	}
	l := &loader{
		snapshot: &Snapshot{
			config:    config,
			bySubject: make(map[string][]*element),
			byDER:     make(map[string]*element),
		},
		ca:     make(map[*element]*CA),
		parsed: make(map[string][]fileCertificate),
	}
	if config.CApath != "" {
		if err := l.readCApath(config.CApath); err != nil {
			return nil, err
		}
	}
	if config.CAfile != "" {
		if err := l.readCAfile(config.CAfile); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(l.snapshot.cas, func(ca *CA) bool { return ca.Anchor }) {
		return nil, l.noAnchor()
	}
	return l.snapshot, nil
}

// hashName matches the file names under which a CApath holds CAs.
var hashName = regexp.MustCompile(`^([0-9a-f]{8})\.([0-9]{1,9})$`)

// readCApath loads every CA of a directory. Files that are not named as a CA
// are none of its business.
func (l *loader) readCApath(directory string) error {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return directoryError(directory, err)
	}
	// The number is no part of the alphabet: .2 comes before .10.
	type candidate struct {
		name, hash string
		number     int
	}
	var candidates []candidate
	for _, entry := range entries {
		if match := hashName.FindStringSubmatch(entry.Name()); match != nil {
			number, _ := strconv.Atoi(match[2]) // nine digits always fit
			candidates = append(candidates, candidate{entry.Name(), match[1], number})
		}
	}
	if len(candidates) == 0 {
		return noHashNames(directory, entries)
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		return cmp.Or(strings.Compare(a.hash, b.hash), cmp.Compare(a.number, b.number))
	})
	for _, c := range candidates {
		l.readHashed(filepath.Join(directory, c.name), c.hash)
	}
	return nil
}

// readHashed loads the CAs of a file whose name says the hash of their
// subject.
func (l *loader) readHashed(file, hash string) {
	found, err := l.read(file)
	if err != nil {
		l.problem(file, 0, readProblem(file, err))
		return
	}
	if len(found) == 0 {
		l.problem(file, 0, "no certificate in this file")
	}
	for _, f := range found {
		if f.err != nil {
			l.problem(file, f.line, "not a usable certificate: "+f.err.Error())
			continue
		}
		e := f.element
		newHash, oldHash := e.subject.Hash(), e.subject.HashOld()
		if hash != newHash && hash != oldHash {
			l.problem(file, f.line, fmt.Sprintf("not used: this name is not the hash of the certificate %s, "+
				"which is %s (%s before OpenSSL 1.0)", e.subject.Slash(), newHash, oldHash))
			continue
		}
		l.add(e, file, f.line, false)
	}
}

// readCAfile loads every CA of a PEM file.
func (l *loader) readCAfile(file string) error {
	found, err := l.read(file)
	if err != nil {
		return &setupError{
			message: "cannot read the CA file: " + err.Error(),
			hint:    "check the path given to --cafile and that this user may read it: ls -lL " + shellQuote(file),
			cause:   err,
		}
	}
	usable := false
	for _, f := range found {
		if f.err != nil {
			l.problem(file, f.line, "not a usable certificate: "+f.err.Error())
			continue
		}
		usable = l.add(f.element, file, f.line, true) || usable
	}
	if !usable {
		detail := "it holds no certificate"
		if i := slices.IndexFunc(l.snapshot.problems, func(p Problem) bool { return p.File == file }); i >= 0 {
			detail = "first problem: " + l.snapshot.problems[i].String()
		}
		return &setupError{
			message: fmt.Sprintf("no usable CA in the CA file %s: %s", file, detail),
			hint:    "give --cafile a PEM file with the certificate of the CA that issues the peers' certificates",
		}
	}
	return nil
}

// read parses a file, once for all the links to it.
func (l *loader) read(file string) ([]fileCertificate, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	found, ok := l.parsed[string(data)]
	if !ok {
		found = parseCertificates(data)
		l.parsed[string(data)] = found
	}
	return found, nil
}

// add takes a CA into the snapshot, once for all its names, and reports
// whether it is a CA.
func (l *loader) add(e *element, file string, line int, fromCAfile bool) bool {
	if known, ok := l.snapshot.byDER[string(e.cert.Raw)]; ok {
		ca := l.ca[known]
		if !slices.Contains(ca.Files, file) {
			ca.Files = append(ca.Files, file)
		}
		// Who names a CA by --cafile trusts it as it is.
		known.fromCAfile = known.fromCAfile || fromCAfile
		ca.FromCAfile = known.fromCAfile
		return true
	}
	if !e.mayBeCA() {
		l.problem(file, line, fmt.Sprintf("not used: the certificate %s is not a CA's (its basicConstraints do not say so)", e.subject.Slash()))
		return false
	}
	e.file, e.line, e.anchor, e.fromCAfile = file, line, e.selfSigned(), fromCAfile
	ca := &CA{Certificate: e.cert, Subject: e.subject, Files: []string{file}, Anchor: e.anchor, FromCAfile: fromCAfile}
	s := l.snapshot
	l.ca[e] = ca
	s.cas = append(s.cas, ca)
	s.byDER[string(e.cert.Raw)] = e
	s.bySubject[e.subjectKey] = append(s.bySubject[e.subjectKey], e)
	return true
}

func (l *loader) problem(file string, line int, message string) {
	l.snapshot.problems = append(l.snapshot.problems, Problem{File: file, Line: line, Message: message})
}

func readProblem(file string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		if target, linkErr := os.Readlink(file); linkErr == nil {
			return fmt.Sprintf("this link points to %s, which does not exist", target)
		}
	}
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	return "cannot be read: " + err.Error()
}

// noAnchor explains a store without a CA that a path may end at.
func (l *loader) noAnchor() error {
	places := strings.Join(slices.DeleteFunc([]string{l.snapshot.config.CApath, l.snapshot.config.CAfile},
		func(s string) bool { return s == "" }), " and ")
	message := fmt.Sprintf("no usable CA in %s", places)
	hint := "install the packages of the CAs that issue the peers' certificates (igtf-policy-classic on Debian, ca-policy-egi-core on EL)"
	if len(l.snapshot.cas) > 0 {
		message += ": there are only subordinate CAs, and no self-signed root above them"
		hint = fmt.Sprintf("install the root too: %s", l.snapshot.cas[0].Subject.Slash())
	} else if len(l.snapshot.problems) > 0 {
		message += ": first problem: " + l.snapshot.problems[0].String()
	}
	return &setupError{message: message, hint: hint}
}

// directoryError explains a CApath that cannot be listed.
func directoryError(directory string, err error) error {
	e := &setupError{message: "cannot read the CApath: " + err.Error(), cause: err}
	info, statErr := os.Stat(directory)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.hint = "install the packages of your CAs (igtf-policy-classic on Debian, ca-policy-egi-core on EL), or give the directory with --capath"
	case errors.Is(err, fs.ErrPermission):
		e.hint = "let this user list the directory: chmod a+rx " + shellQuote(directory)
	case statErr == nil && !info.IsDir():
		e.message = fmt.Sprintf("the CApath %s is not a directory", directory)
		e.hint = "give a directory with --capath; a single file of CAs is given with --cafile"
	default:
		e.hint = "check the directory given with --capath: ls -ld " + shellQuote(directory)
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
		hint:    "install the packages of your CAs (igtf-policy-classic on Debian, ca-policy-egi-core on EL), or give another directory with --capath",
	}
	if i := slices.IndexFunc(entries, isCertificate); i >= 0 {
		e.message += fmt.Sprintf(": it has certificate files such as %s, but none with a hash name such as 1234abcd.0", entries[i].Name())
		e.hint = "make the hash names: openssl rehash " + shellQuote(directory)
	} else if len(entries) == 0 {
		e.message += ": it is empty"
	}
	return e
}
