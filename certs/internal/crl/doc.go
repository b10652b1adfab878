// Package crl reads certificate revocation lists (CRLs).
//
// It promises to read every list that CAs publish, of either version, PEM or
// DER, several to a file; to keep 8 bytes of each entry in memory; to tell
// exactly whether a serial number is on a list, by reading the file again; to
// say who has signed a list, of which certificates it speaks, and what keeps
// it from proving that one of them is good.
//
// It judges no peer: whose lists count for a certificate, and what follows if
// there is none, is for package certs to say.
package crl
