package certs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// HandshakeError says why a handshake failed where Verify did not refuse: the
// other end does not speak TLS, went away, was silent, or refused us.
type HandshakeError struct {
	Code   Code
	Reason string // one clause in plain words, see Setting
	Cure   string // what to do about it, a sentence or more, see Setting; may be empty
	Err    error  // the cause
}

// Error is the reason with its code.
func (e *HandshakeError) Error() string { return string(e.Code) + ": " + e.Reason }

// Unwrap gives the cause.
func (e *HandshakeError) Unwrap() error { return e.Err }

// Hint is the cure.
func (e *HandshakeError) Hint() string { return e.Cure }

// fail makes a HandshakeError with the usual cure of its code.
func fail(code Code, reason string, err error) *HandshakeError {
	return &HandshakeError{Code: code, Reason: reason, Cure: usualCure(code, 0, ""), Err: err}
}

// Explain turns an error of a handshake or of a Read on a TLS connection into
// a *HandshakeError where it is one, and returns others as they are.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*HandshakeError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*Refusal](err); ok {
		return err
	}
	if header, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return notTLS(err, header.RecordHeader[:], PeerAny)
	}
	if e := explainAlert(err); e != nil {
		return e
	}
	if e := explainDisconnect(err, false); e != nil && !errors.Is(err, io.EOF) {
		return e
	}
	return err
}

// explainHandshake gives the words for a failed handshake. first is what came
// from the other end before anything else, peer is what the other end is.
func explainHandshake(ctx context.Context, err error, first []byte, peer PeerRole) error {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal
	}
	if len(first) > 0 && !looksLikeTLS(first) {
		return notTLS(err, first, peer)
	}
	if peer == PeerServer && isBusyAlert(first) {
		return peerBusy(err)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return explainTimeout(err, len(first) == 0, peer)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) {
		return &HandshakeError{
			Code: CodeDisconnected, Reason: "this end stopped before the handshake was done", Err: err,
		}
	}
	if strings.HasSuffix(err.Error(), "client didn't provide a certificate") {
		return refuse(nil, 0, CodeNoCertificate, "the peer sent no certificate")
	}
	if r := refuseUnread(err); r != nil {
		return r
	}
	if e := explainAlert(err); e != nil {
		return e
	}
	if e := explainDisconnect(err, len(first) == 0); e != nil {
		return e
	}
	return explainProtocol(err)
}

// refuseUnread gives Verify's refusal of certificates that crypto/tls refuses
// before Verify sees them, for the kind or the size of a key; nil if the error
// is another one.
func refuseUnread(err error) *Refusal {
	text := err.Error()
	switch {
	case strings.Contains(text, "certificate contains an unsupported public key") ||
		strings.Contains(text, "certificate contains an unsupported type of public key"):
		return refuse(nil, 0, CodeUnsupported,
			"the key of the peer's certificate is of a kind with which no TLS handshake is possible")
	case strings.Contains(text, "failed to parse") && isUnsupportedCurve(text):
		return refuse(nil, 0, CodeUnsupported,
			"a key that the peer sent is of an elliptic curve that is not supported, or that it does not name")
	case strings.Contains(text, "sent certificate containing RSA key larger than"):
		return refuseLargeKey("a certificate that the peer sent has an RSA key of more than %d bits", maxSentRSABits)
	}
	return nil
}

// looksLikeTLS reports whether octets may begin a TLS handshake or alert of
// any version.
func looksLikeTLS(first []byte) bool {
	const alert, handshake = 21, 22
	return (first[0] == alert || first[0] == handshake) && (len(first) < 2 || first[1] == 3) ||
		isSSL2(first)
}

// isSSL2 reports whether the other end begins with the hello of SSL 2, which
// very old clients still send.
func isSSL2(first []byte) bool {
	return len(first) >= 3 && first[0]&0x80 != 0 && first[2] == 1
}

// notTLS names what the other end speaks instead of TLS.
func notTLS(err error, first []byte, peer PeerRole) *HandshakeError {
	e := fail(CodeNotTLS, "", err)
	switch {
	case isHTTPRequest(first):
		e.Reason = "the other end speaks plain HTTP to the TLS port"
		e.Cure = "Nothing is served over HTTP here; point the browser, probe or proxy elsewhere."
	case bytes.HasPrefix(first, []byte("HTTP/")):
		e.Reason = "the other end is a web server that does not speak TLS on this port"
	case isMySQLGreeting(first):
		e.Reason = "the other end is a MySQL server that speaks plain MySQL on this port"
		if message := mysqlError(first); message != "" {
			e.Reason += "; it says: " + message
		}
		e.Cure = pointConnect + ", not at MySQL's own."
	case bytes.HasPrefix(first, []byte("SSH-")):
		e.Reason = "the other end speaks SSH on this port"
	case bytes.HasPrefix(first, []byte("PROXY ")) || bytes.HasPrefix(first, []byte("\r\n\r\n\x00\r\nQUIT\n")):
		e.Reason = "the other end sends a PROXY protocol header before TLS"
		e.Cure = "Turn the PROXY protocol off in the load balancer in front."
	default:
		e.Reason = fmt.Sprintf("the other end does not speak TLS; it began with %q", printable(first))
		if peer != PeerServer {
			e.Cure = "Connect to the TLS port with gtunnel client (or stunnel) only."
		}
	}
	return e
}

// printable cuts what is quoted in messages.
func printable(first []byte) []byte { return first[:min(len(first), 16)] }

// isHTTPRequest reports whether the other end begins with the first line of HTTP.
func isHTTPRequest(first []byte) bool {
	for _, method := range []string{"GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ", "DELETE ", "CONNECT ", "PRI * HTTP"} {
		if n := min(len(method), len(first)); n >= 4 && string(first[:n]) == method[:n] {
			return true
		}
	}
	return false
}

// isMySQLGreeting reports whether the other end begins with the first packet of
// a MySQL server: a length of three octets, sequence number 0, then protocol
// version 10 (or 9) or an error.
func isMySQLGreeting(first []byte) bool {
	return len(first) >= 5 && first[2] == 0 && first[3] == 0 &&
		(first[4] == 9 || first[4] == 10 || first[4] == 0xff)
}

// mysqlError is the message of a MySQL error packet, if it is one.
func mysqlError(first []byte) string {
	if first[4] != 0xff || len(first) < 8 {
		return ""
	}
	return dn.Escape(first[7:])
}

func explainTimeout(err error, silent bool, peer PeerRole) *HandshakeError {
	if !silent {
		return fail(CodeTimeout, "the other end did not finish the TLS handshake in time", err)
	}
	if peer == PeerServer {
		return fail(CodeSilent, "the other end accepted the connection and sent nothing", err)
	}
	e := fail(CodeSilent, "the other end sent nothing;"+
		" a MySQL client that speaks to the TLS port waits like this for MySQL's greeting", err)
	e.Cure = "A MySQL client must connect to the local port of the gtunnel client on its own host," +
		" usually 127.0.0.1:3307, not to the TLS port."
	return e
}

func explainDisconnect(err error, silent bool) *HandshakeError {
	e := fail(CodeDisconnected, "", err)
	switch {
	case errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		e.Reason = "the other end reset the connection"
	case errors.Is(err, io.EOF) && silent:
		e.Reason = "the other end closed the connection without a word, as port checks do"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		e.Reason = "the other end closed the connection without ending TLS properly"
	default:
		return nil
	}
	return e
}

// The alerts of TLS that are about certificates or access (RFC 8446, section
// 6.2).
var certificateAlerts = map[uint64]certificateAlert{
	41: {meaning: "it got no certificate"},
	42: {meaning: "bad certificate"},
	43: {
		meaning: "unsupported certificate",
		cure: "Compare the key usages and the kind of key of this host's certificate with what the other end wants: " +
			"gtunnel certs show.",
	},
	44: {
		meaning: "certificate revoked",
		cure:    "Ask your CA for a new host certificate: the other end has a list that revokes this one.",
	},
	45: {
		meaning: "certificate expired",
		cure: "Look at the dates of this host's certificate and at both hosts' clocks;" +
			" the other end's CA files or lists may be out of date too.",
	},
	46: {meaning: "certificate unknown"},
	48: {
		meaning: "unknown CA",
		cure: "Install this host's CA, and the subordinates above the certificate," +
			" in the CApath of the other end.",
	},
	49: {meaning: "access denied", cure: "Have the other end's access rules name this host."},
	116: {
		meaning: "certificate required",
		cure:    "The other end wants a client certificate that it accepts; look at its CA list and log.",
	},
}

// certificateAlert is what an alert says, and what to do about it; no cure is
// the usual one.
type certificateAlert struct{ meaning, cure string }

// explainAlert gives the words for an alert that the other end sent.
func explainAlert(err error) *HandshakeError {
	alert, name, ok := remoteAlert(err)
	if !ok {
		return nil
	}
	if a, about := certificateAlerts[alert]; about {
		e := fail(CodePeerRefusedUs, fmt.Sprintf("the other end refused our certificate (alert: %s)", a.meaning), err)
		e.Cure = cmp.Or(a.cure, e.Cure)
		return e
	}
	e := fail(CodeProtocol, "the other end broke the handshake off (alert: "+name+")", err)
	switch alert {
	case 70: // protocol_version
		e.Cure = "The two ends have no TLS version in common: gtunnel speaks 1.2 and 1.3;" +
			" update the other end, or lower ‹min-tls› on the stricter one."
	case 40, 71: // handshake_failure, insufficient_security
		e.Cure = "The two ends have no cipher in common, or the other end got no certificate it likes: look in its log."
	case 112: // unrecognized_name
		e.Cure = "The other end serves other names than the one asked for: check ‹server-name›."
	}
	return e
}

// remoteAlert gives the number and name of an alert from the other end.
// crypto/tls has no exported type for it: it is the integer inside an OpError.
func remoteAlert(err error) (number uint64, name string, ok bool) {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return 0, "", false
	}
	v := reflect.ValueOf(op.Err)
	if !v.CanUint() {
		return 0, "", false
	}
	return v.Uint(), strings.TrimPrefix(op.Err.Error(), "tls: "), true
}

// explainProtocol gives the words for what this end found wrong in the other
// end's messages.
func explainProtocol(err error) *HandshakeError {
	// The text may quote what the other end sent.
	text := dn.Excerpt(strings.TrimPrefix(err.Error(), "tls: "))
	e := fail(CodeProtocol, "the TLS handshake failed: "+text, err)
	switch {
	case strings.Contains(text, "unsupported versions"), strings.Contains(text, "unsupported protocol version"),
		strings.Contains(text, "SSLv2"):
		e.Reason = "the two ends have no TLS version in common: " + text
		e.Cure = "Update the other end to TLS 1.2 or later, or lower ‹min-tls› if it is higher than 1.2."
	case strings.Contains(text, "no cipher suite supported"):
		e.Cure = "Let the other end offer ECDHE ciphers with AES-GCM or ChaCha20;" +
			" remove its own cipher list if it has one."
	case strings.Contains(text, "invalid CRL distribution point"):
		e.Cure = "The CRL distribution point of the other end's certificate is malformed" +
			" or relative to the name of the CRL's issuer, which is not supported:" +
			" look at it there (openssl x509 -text -noout -in hostcert.pem), and ask its CA for one with a URL."
	case strings.Contains(text, "failed to parse certificate"):
		e.Cure = "The other end's certificate is malformed;" +
			" look at it there: openssl x509 -text -noout -in hostcert.pem"
	}
	return e
}
