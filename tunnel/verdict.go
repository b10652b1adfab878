package tunnel

import (
	"context"
	"crypto/tls"
	"errors"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// refuse counts and logs a connection that the tunnel itself refuses. The
// caller closes it.
func (t *Tunnel) refuse(in inbound, code certs.Code, reason, cure string, more ...zap.Field) {
	t.countRefused(code)
	fields := append([]zap.Field{
		connField(in.id), zap.String("reason", reason), zap.String("cure", cure),
	}, append(in.from.fields("from"), more...)...)
	t.logFailure(zapcore.WarnLevel, "connection refused", code, fields...)
}

// refuseSession notes a connection for which there is no place.
func (t *Tunnel) refuseSession(ctx context.Context, in inbound) {
	if ctx.Err() != nil || t.isClosed() {
		return
	}
	t.refuse(in, CodeTooManyConnections, "as many connections are open as the limit allows",
		"raise max-connections, or look for what keeps them open: gtunnel status")
}

// refuseOfPeer notes a connection of a verified peer that has as many open as
// it may.
func (t *Tunnel) refuseOfPeer(in inbound, dn string) {
	t.refuse(in, CodeTooManyOfPeer, "its peer has as many connections open as max-connections-per-peer allows",
		"look on that host for what opens so many, or raise max-connections-per-peer", zap.String("dn", dn))
}

// raiseLimit is the cure where places for handshakes are short.
const raiseLimit = "if they are your own hosts, raise max-handshakes or max-handshakes-per-source"

// tooMany says which limit of handshakes is reached.
func tooMany(code certs.Code) string {
	if code == CodeTooManyFromSource {
		return "more connections from its address wait for their verification than max-handshakes-per-source allows"
	}
	return "more connections wait for their verification than max-handshakes allows"
}

// countRefused counts a connection that came to nothing.
func (t *Tunnel) countRefused(code certs.Code) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused[code]++
}

// peerRefused counts and logs a peer with which the handshake failed. peer says
// where it is.
func (t *Tunnel) peerRefused(id uint64, peer []zap.Field, err error) {
	fields := append([]zap.Field{connField(id)}, peer...)
	level := zapcore.WarnLevel
	code := certs.CodeDisconnected
	refusal, isRefusal := errors.AsType[*certs.Refusal](err)
	handshake, isHandshake := errors.AsType[*certs.HandshakeError](err)
	switch {
	case isRefusal:
		code = refusal.Code
		fields = append(fields, refusalFields(refusal)...)
	case isHandshake:
		code = handshake.Code
		fields = append(fields, zap.String("reason", handshake.Reason), zap.String("cure", handshake.Cure))
		if code == certs.CodeDisconnected {
			level = zapcore.InfoLevel
		}
	default:
		fields = append(fields, zap.String("reason", err.Error()))
	}
	t.countRefused(code)
	t.logFailure(level, "peer refused", code, fields...)
}

// peerNoLongerAccepted counts and logs an open session whose peer is refused
// now.
func (t *Tunnel) peerNoLongerAccepted(s *session, err error) {
	fields := append([]zap.Field{connField(s.id)}, s.origin.fields("peer")...)
	code := certs.CodeMalformed
	if refusal, ok := errors.AsType[*certs.Refusal](err); ok {
		code = refusal.Code
		fields = append(fields, refusalFields(refusal)...)
	} else {
		fields = append(fields, zap.String("reason", err.Error()))
	}
	t.mu.Lock()
	t.sessionsRefused[code]++
	t.mu.Unlock()
	t.refusals.add(code, boundFields(fields))
	t.log.write(zapcore.WarnLevel, "peer no longer accepted", append(fields, zap.String("code", string(code)))...)
}

// refusalFields says why a peer is refused, and what to do about it. The code
// is its own field of every line.
func refusalFields(refusal *certs.Refusal) []zap.Field {
	fields := []zap.Field{
		zap.String("reason", refusal.Reason), zap.String("cure", refusal.Cure),
		zap.Int("depth", refusal.Depth), zap.String("dn", refusal.Subject),
	}
	if refusal.File != "" {
		fields = append(fields, zap.String("file", refusal.File), zap.Int("line", refusal.Line))
	}
	return fields
}

// peerVerified logs why a peer is trusted, and whether it had a ticket. peer says
// where it is.
func (t *Tunnel) peerVerified(id uint64, peer []zap.Field, conn *tls.Conn, result *certs.Result) {
	t.log.write(zapcore.InfoLevel, "peer verified", append(append([]zap.Field{connField(id)}, peer...),
		zap.Strings("path", pathDNs(result)), zap.Strings("hosts", result.Peer.Hosts),
		zap.Bool("resumed", conn.ConnectionState().DidResume))...)
}

// pathDNs names the certificates of a verified path, the peer's own first.
func pathDNs(result *certs.Result) []string {
	path := make([]string, len(result.Path))
	for depth, link := range result.Path {
		path[depth] = link.DN
	}
	return path
}
