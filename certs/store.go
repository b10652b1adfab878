package certs

import "errors"

// StoreConfig says what a host trusts.
type StoreConfig struct {
	CApath string // directory of CAs as grid sites install it; may be empty
	CAfile string // PEM file of CAs that need no signing policy; may be empty
}

// Store holds the current Snapshot of what the host trusts.
type Store struct{}

// Problem is something wrong in a file of the CApath that does not keep other
// files from being used.
type Problem struct {
	File    string
	Line    int // counted from 1, 0 if the problem has no line
	Message string
}

// Snapshot is an immutable view of what the host trusts.
type Snapshot struct{}

// OpenStore loads the CApath and the CA file. It fails if neither yields a
// usable CA.
func OpenStore(config StoreConfig) (*Store, error) { return nil, errors.ErrUnsupported }

// Snapshot gives the current trust.
func (s *Store) Snapshot() *Snapshot { return nil }

// Problems lists what was wrong in the files, in the order of their names.
func (s *Snapshot) Problems() []Problem { return nil }
