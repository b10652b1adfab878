package seed

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/gtunnel/gtunnel/replication/server"
)

// gate lets the tools that dump reach the master through this process, and holds each at
// the statement by which it takes its snapshot, until all of them have come to theirs.
// So they take them at the same moment, however far the master is, and it is known when
// all have: a lock that keeps writers away meanwhile is held for two round trips.
// The rest of what they say passes unread.
type gate struct {
	to       server.Login // the master
	listener net.Listener
	open     chan struct{} // closed: the snapshots may be taken
	goOn     chan struct{} // closed: the tools may go on, which have theirs
	came     chan struct{} // one for each tool that is held
	taken    chan struct{} // one for each snapshot that was taken

	cancel context.CancelFunc
	conns  sync.WaitGroup
}

// newGate makes the gate for so many tools. The caller closes it, once they have ended.
func newGate(ctx context.Context, to server.Login, tools int) (*gate, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(server.Loopback, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen for the tools that dump: %w", err)
	}
	g := &gate{
		to: to, listener: listener, open: make(chan struct{}), goOn: make(chan struct{}),
		came: make(chan struct{}, tools), taken: make(chan struct{}, tools),
	}
	ctx, g.cancel = context.WithCancel(ctx)
	g.conns.Go(func() { g.accept(ctx) })
	return g, nil
}

// login is how the tools log in.
func (g *gate) login() server.Login {
	through := g.to
	through.Network, through.Address = "tcp", g.listener.Addr().String()
	return through
}

// close ends the connections that are left.
func (g *gate) close() {
	g.cancel()
	_ = g.listener.Close() // nothing is lost
	g.conns.Wait()
}

// accept takes the tools' connections until the gate is closed.
func (g *gate) accept(ctx context.Context) {
	for {
		tool, err := g.listener.Accept()
		if err != nil {
			return
		}
		g.conns.Go(func() { g.relay(ctx, tool) })
	}
}

// relay carries a tool's connection to the master. An error ends it, and the tool says so.
func (g *gate) relay(ctx context.Context, tool net.Conn) {
	defer closeConns(tool)
	dialer := net.Dialer{Timeout: server.ConnectTimeout}
	master, err := dialer.DialContext(ctx, g.to.Network, g.to.Address)
	if err != nil {
		return
	}
	defer closeConns(master)
	defer context.AfterFunc(ctx, func() { closeConns(tool, master) })()
	var asked atomic.Bool // for the snapshot
	var back sync.WaitGroup
	back.Go(func() {
		defer closeConns(tool, master)
		if err := g.watchReply(tool, master, &asked); err == nil {
			_, _ = io.Copy(tool, master) // its end is the tool's to judge
		}
	})
	if err := g.hold(ctx, tool, master, &asked); err == nil {
		_, _ = io.Copy(master, tool)
	}
	closeConns(master)
	back.Wait()
}

// await waits until a channel is closed.
func await(ctx context.Context, closed <-chan struct{}) error {
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell counts one more, of no more than there are tools.
func tell(of chan struct{}) {
	select {
	case of <- struct{}{}:
	default: // a tool has come twice
	}
}

// closeConns closes connections, also twice.
func closeConns(conns ...net.Conn) {
	for _, conn := range conns {
		_ = conn.Close() // nothing is left to tell
	}
}

// hold passes on what a tool says up to the question for its snapshot, which waits until
// the gate is open.
func (g *gate) hold(ctx context.Context, tool io.Reader, master io.Writer, asked *atomic.Bool) error {
	packets := clientPackets{from: tool}
	for {
		packet, statement, err := packets.next()
		if err != nil {
			return err
		}
		snapshot := strings.HasPrefix(statement, "START TRANSACTION")
		if snapshot {
			tell(g.came)
			if err := await(ctx, g.open); err != nil {
				return err
			}
			asked.Store(true)
		}
		if _, err := master.Write(packet); err != nil {
			return err
		}
		if snapshot {
			return await(ctx, g.goOn)
		}
	}
}

// watchReply passes on what the master says up to the answer to that question.
func (g *gate) watchReply(tool io.Writer, master io.Reader, asked *atomic.Bool) error {
	buffer := make([]byte, 16<<10)
	for {
		n, err := master.Read(buffer)
		answered := n > 0 && asked.Load() // before it is passed on: what is asked then is another question
		if answered {
			tell(g.taken)
		}
		if n > 0 {
			if _, err := tool.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if err != nil || answered {
			return err
		}
	}
}

// clientPackets reads what a client says, packet by packet (MySQL manual, "Client/Server
// Protocol").
type clientPackets struct {
	from       io.Reader
	compressed uint32 // of the capabilities, those that compress
	attributes bool   // a statement comes with attributes, of which the tools have none
	greeted    bool   // it has told its capabilities
	loggedIn   bool
}

// The capabilities of a client that matter here.
const (
	compressZlib = 1 << 5
	compressZstd = 1 << 26
	attributes   = 1 << 27
)

const (
	comQuery = 3
	// mostPacket is more than a tool asks before its snapshot.
	mostPacket = 1 << 20
)

var errPacket = errors.New("a packet of the client is too long")

// next gives a packet as it came, with the statement that it holds; empty if it holds
// none.
func (p *clientPackets) next() (packet []byte, statement string, err error) {
	packet, err = p.read(nil, 4)
	if err != nil {
		return nil, "", err
	}
	length, number := int(packet[0])|int(packet[1])<<8|int(packet[2])<<16, packet[3]
	first := !p.greeted
	p.greeted = true
	p.loggedIn = p.loggedIn || number == 0 // the packets of a login answer the server's
	zipped := p.loggedIn && p.compressed != 0
	if zipped {
		if packet, err = p.read(packet, 3); err != nil {
			return nil, "", err
		}
	}
	head := len(packet)
	if length > mostPacket {
		return nil, "", errPacket
	}
	if packet, err = p.read(packet, length); err != nil {
		return nil, "", err
	}
	text := packet[head:]
	switch {
	case first && len(text) >= 4:
		capabilities := binary.LittleEndian.Uint32(text)
		p.compressed, p.attributes = capabilities&(compressZlib|compressZstd), capabilities&attributes != 0
		return packet, "", nil
	case zipped:
		if packet[4]|packet[5]|packet[6] != 0 {
			text = p.unzip(text)
		}
		text = text[min(4, len(text)):]
	}
	if p.loggedIn && len(text) > 0 && text[0] == comQuery {
		text = text[1:]
		if p.attributes && len(text) > 2 && text[0] == 0 { // none, in one set
			text = text[2:]
		}
		return packet, string(text), nil
	}
	return packet, "", nil
}

// read adds so many bytes to what was read.
func (p *clientPackets) read(to []byte, n int) ([]byte, error) {
	begin := len(to)
	to = append(to, make([]byte, n)...)
	_, err := io.ReadFull(p.from, to[begin:])
	return to, err
}

// unzip gives what a compressed packet holds; nothing if that cannot be read.
func (p *clientPackets) unzip(packet []byte) []byte {
	var from io.Reader
	if p.compressed&compressZlib != 0 {
		reader, err := zlib.NewReader(bytes.NewReader(packet))
		if err != nil {
			return nil
		}
		from = reader
	} else {
		reader, err := zstd.NewReader(bytes.NewReader(packet), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil
		}
		defer reader.Close()
		from = reader
	}
	text, err := io.ReadAll(io.LimitReader(from, mostPacket))
	if err != nil {
		return nil
	}
	return text
}
