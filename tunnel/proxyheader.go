package tunnel

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// The PROXY protocol (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt)
// says at the beginning of a connection where it really comes from. A server
// believes it of the proxies that Config.AcceptProxyFrom names, and of nobody
// else: what others send goes to TLS, which refuses it. And it says it to its
// target if Config.ProxyProtocol is set, before any byte of the peer.

// origin is where a connection comes from.
type origin struct {
	address net.Addr // of the peer
	proxy   net.Addr // which passed it on and gave that address; nil: it came here itself
}

// ip is the IP address of the peer; a unix socket has none.
func (o origin) ip() netip.Addr { return addressOf(o.address) }

// fields are the origin for a line of the log, the address under key.
func (o origin) fields(key string) []zap.Field {
	fields := []zap.Field{zap.Stringer(key, o.address)}
	if o.proxy != nil {
		fields = append(fields, zap.Stringer("proxy", o.proxy))
	}
	return fields
}

// isProxy reports whether a connection from an address must begin with a header.
func (t *Tunnel) isProxy(address net.Addr) bool {
	ip := addressOf(address)
	return slices.ContainsFunc(t.config().AcceptProxyFrom, func(network netip.Prefix) bool { return network.Contains(ip) })
}

// admitProxied admits a connection of a proxy once it has said where that comes
// from. Until then it has a place as one without a source, since all that a proxy
// passes on comes from one address.
func (t *Tunnel) admitProxied(ctx context.Context, in inbound, connections *sync.WaitGroup) {
	if !t.takePlace(&in, netip.Prefix{}, connections) {
		return
	}
	connections.Go(func() {
		err := t.readOrigin(ctx, &in)
		if !t.handshakes.leave(in.place) || err != nil {
			t.handshakeEnded(ctx, in, err)
			return
		}
		in.place = nil
		t.admitOrigin(ctx, in, connections)
	})
}

// readOrigin reads the header of a proxy, until the end of the time for the
// handshake. A check of the proxy's own leaves the proxy as the origin: LOCAL, UNKNOWN,
// or its own address, as haproxy says it in version 1.
func (t *Tunnel) readOrigin(ctx context.Context, in *inbound) error {
	if err := in.conn.SetReadDeadline(in.deadline); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = in.conn.SetReadDeadline(time.Unix(1, 0)) })()
	text, err := readProxyHeader(in.conn)
	if err != nil {
		return headerError(len(text), err)
	}
	address, err := parseProxyHeader(text)
	if err != nil {
		return headerError(len(text), err)
	}
	if address == nil || address.String() == in.from.address.String() {
		in.isProxyCheck = true
		return nil
	}
	in.from = origin{address: address, proxy: in.from.address}
	in.source = sourceOf(in.from.ip())
	t.log.write(zapcore.DebugLevel, "origin told", append(in.from.fields("from"), connField(in.id))...)
	return nil
}

// Of a header: version 2 has a fixed part, then as many bytes as that says;
// version 1 is a line. Both are longer than the signature of version 2.
const (
	headerFixed   = 16
	headerLineMax = 107
)

var errHeaderLine = fmt.Errorf("its first line is longer than %d bytes", headerLineMax)

// readProxyHeader reads a header and not a byte more, since the rest is of TLS. What has
// come is given with an error too.
func readProxyHeader(conn io.Reader) ([]byte, error) {
	header := make([]byte, headerFixed, headerLineMax+1)
	n, err := io.ReadFull(conn, header[:len(proxyproto.SIGV2)])
	if err != nil {
		return header[:n], err
	}
	header = header[:n]
	more := func(count int) error {
		begin := len(header)
		header = slices.Grow(header, count)[:begin+count]
		got, err := io.ReadFull(conn, header[begin:])
		header = header[:begin+got]
		return err
	}
	switch {
	case bytes.Equal(header, proxyproto.SIGV2):
		if err = more(headerFixed - n); err != nil {
			return header, err
		}
		rest := binary.BigEndian.Uint16(header[headerFixed-2:])
		if rest > proxyproto.MaxV2HeaderSize {
			return header, proxyproto.ErrInvalidLength
		}
		return header, more(int(rest))
	case bytes.HasPrefix(header, proxyproto.SIGV1):
		for !bytes.HasSuffix(header, []byte("\r\n")) {
			if len(header) >= headerLineMax {
				return header, errHeaderLine
			}
			if err = more(1); err != nil {
				return header, err
			}
		}
		return header, nil
	}
	return header, proxyproto.ErrNoProxyProtocol
}

// parseProxyHeader gives the address of the peer that a whole header names; nil if it
// names none, because the proxy speaks for itself or does not know. A header about
// anything but TCP, or without an address that a peer can have, is an error.
func parseProxyHeader(text []byte) (net.Addr, error) {
	header, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		return nil, err
	}
	if header.Command.IsLocal() || header.TransportProtocol.IsUnspec() {
		return nil, nil //nolint:nilnil // there is none
	}
	source, _, ok := header.TCPAddrs()
	if !ok {
		return nil, proxyproto.ErrUnsupportedAddressFamilyAndProtocol
	}
	if ip := source.AddrPort().Addr().Unmap(); !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() {
		return nil, proxyproto.ErrInvalidAddress
	}
	return source, nil
}

// headerError says what is wrong with the header of a proxy, of which so many bytes
// have come.
func headerError(came int, err error) error {
	result := &certs.HandshakeError{
		Code: CodeBadProxyHeader, Err: err,
		Reason: "a network of accept-proxy-from, which must send a PROXY protocol header first, ",
		Cure: "let the proxy there send it (haproxy: send-proxy-v2, nginx: proxy_protocol on), " +
			"or take the network out of accept-proxy-from",
	}
	switch {
	case came == 0 && errors.Is(err, io.EOF):
		return &certs.HandshakeError{
			Code: certs.CodeDisconnected, Err: err,
			Reason: "the proxy closed the connection before it sent anything",
			Cure:   "nothing, if it only looks whether the port is open; let such checks send the header too",
		}
	case errors.Is(err, os.ErrDeadlineExceeded) && came == 0:
		result.Reason += "sent nothing in time"
	case errors.Is(err, os.ErrDeadlineExceeded):
		result.Reason += "sent only a part of it in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		result.Reason += "ended the connection within it"
	case errors.Is(err, proxyproto.ErrNoProxyProtocol):
		result.Reason += "sent something else"
	default:
		result.Reason += "sent one that is not sound: " + err.Error()
	}
	return result
}

// dialFor is dial for a connection of a server, which tells the target where that
// comes from if it is to. The error is a *targetError.
func (t *Tunnel) dialFor(ctx context.Context, in inbound, target Address) (net.Conn, error) {
	conn, err := t.dial(ctx, target)
	if err != nil || !t.config().ProxyProtocol {
		return conn, err
	}
	header, err := formatProxyHeader(in.from.address, in.conn.LocalAddr())
	if err == nil {
		_, err = conn.Write(header) // the first in its socket, which takes it
	}
	if err != nil {
		reset(conn)
		return nil, &targetError{target: target, reason: "the PROXY protocol header: " + err.Error(), err: err}
	}
	return conn, nil
}

// checkProxy finds what is wrong with the settings of the PROXY protocol.
func (c Config) checkProxy() (found []*ConfigError) {
	if c.ProxyProtocol && c.Role == Client {
		found = append(found, &ConfigError{
			Setting: "proxy-protocol", Reason: "a client connects to a gtunnel server, which speaks TLS from the first byte",
			Cure: "set it on the server, if its target is MariaDB",
		})
	}
	if len(c.AcceptProxyFrom) == 0 {
		return found
	}
	if c.Role == Client {
		found = append(found, &ConfigError{
			Setting: "accept-proxy-from", Reason: "only a server believes proxies",
			Cure: "remove it: what connects to a client is on its host",
		})
	} else if c.Accept.Network == "unix" {
		found = append(found, &ConfigError{
			Setting: "accept-proxy-from", Reason: "nothing comes from a network where the tunnel listens at a unix socket",
			Cure: "remove it, or listen at an address",
		})
	}
	return found
}

// formatProxyHeader makes the header of version 2 for a peer's address and the one it
// has connected to. Who comes by a unix socket has no address: LOCAL.
func formatProxyHeader(from, to net.Addr) ([]byte, error) {
	peer, isTCP := from.(*net.TCPAddr)
	if !isTCP {
		return proxyproto.HeaderProxyFromAddrs(2, nil, nil).Format()
	}
	own, _ := to.(*net.TCPAddr)
	if own == nil || (own.IP.To4() == nil) != (peer.IP.To4() == nil) {
		own = &net.TCPAddr{IP: net.IPv4zero} // a proxy has changed the version of IP
		if peer.IP.To4() == nil {
			own.IP = net.IPv6unspecified
		}
	}
	return proxyproto.HeaderProxyFromAddrs(2, peer, own).Format()
}
