package certs

import "bytes"

// BusyAlert is the record with which a server that is at a limit ends a
// connection instead of answering it: the fatal alert internal_error, for an
// "error unrelated to the peer or the correctness of the protocol (such as a
// memory allocation failure)" (RFC 8446, section 6.2), in clear text. Client
// explains it as CodePeerBusy, and other programs name the alert.
func BusyAlert() []byte { return []byte{21, 3, 3, 0, 2, 2, 80} }

// isBusyAlert reports whether the other end sent BusyAlert, in whatever version
// of the record.
func isBusyAlert(first []byte) bool {
	want := BusyAlert()
	return len(first) == len(want) && first[0] == want[0] && first[1] == want[1] && bytes.Equal(first[3:], want[3:])
}

// peerBusy gives the words for BusyAlert.
func peerBusy(err error) *HandshakeError {
	return fail(CodePeerBusy, "the other end takes no connection now:"+
		" it answered with nothing but the alert internal error", err)
}
