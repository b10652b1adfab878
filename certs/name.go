package certs

import "github.com/gtunnel/gtunnel/certs/internal/dn"

// Name is a distinguished name (DN), taken apart from its DER encoding: Equal
// compares it as RFC 5280 does, Slash and RFC4514 write it, Hash and HashOld
// are its names in a CApath.
type Name = dn.Name

// ShowDN is a DN as a sentence shows it: an empty one in words.
func ShowDN(name string) string { return dn.Show(name) }
