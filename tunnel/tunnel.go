package tunnel

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// reportEvery is how often a long-lived session is logged.
const reportEvery = time.Hour

// Tunnel is one listening tunnel. Its methods may be called concurrently.
type Tunnel struct {
	current     atomic.Pointer[Config] // never nil; what it points to never changes
	log         boundedLog
	failures    failureLog
	refusals    refusals
	handshakes  handshakes
	dials       chan struct{} // client: holds one for each connection that is being opened
	dead        dead
	farEnd      farEnd
	sessions    table
	agenda      agenda
	clock       clock
	warnings    warnings
	reportEvery time.Duration
	userTimeout time.Duration
	firstByte   time.Duration // server: how long a peer may be silent

	handshakeTimes histogram // of peers that were verified
	dialTimes      histogram // of targets that were reached

	accepted   atomic.Uint64
	dismissing atomic.Int32 // connections that are being told why they are refused
	fromPeer   atomic.Uint64
	toPeer     atomic.Uint64
	accepting  atomic.Bool
	turns      atomic.Uint64 // of the accept loop
	inHand     atomic.Bool   // it is in the middle of one
	updated    chan struct{} // holds one: Update was called
	retired    chan struct{} // closed by Retire
	retireOnce sync.Once
	closed     chan struct{}
	closeOnce  sync.Once

	mu              sync.Mutex
	listener        net.Listener
	lent            bool    // the listener is of a socket that others have bound; see ListenOn
	heir            *Tunnel // that shares the listener; see ListenAs
	served          bool
	refused         map[certs.Code]uint64
	sessionsRefused map[certs.Code]uint64
	sessionsClosed  map[closeCode]uint64
	dialFailures    map[string]uint64 // by target
}

// New checks the configuration. The error is a *ConfigError, which names the
// first setting that is wrong; Config.Check finds all.
func New(config Config) (*Tunnel, error) {
	config = config.withDefaults()
	if err := config.check(); err != nil {
		return nil, err
	}
	config.Logger = config.Logger.With(zap.String("tunnel", config.Name))
	t := &Tunnel{
		log:             boundedLog{logger: config.Logger},
		dials:           make(chan struct{}, maxDials),
		agenda:          newAgenda(),
		clock:           newClock(),
		reportEvery:     reportEvery,
		userTimeout:     userTimeout,
		firstByte:       firstByteTime,
		updated:         make(chan struct{}, 1),
		retired:         make(chan struct{}),
		closed:          make(chan struct{}),
		refused:         make(map[certs.Code]uint64),
		sessionsRefused: make(map[certs.Code]uint64),
		sessionsClosed:  make(map[closeCode]uint64),
		dialFailures:    make(map[string]uint64),
	}
	if config.Role == Server {
		t.handshakes.evict = true
		t.handshakes.turns.scarce.carried = func() uint64 { return t.fromPeer.Load() + t.toPeer.Load() }
		t.handshakes.turns.scarce.idle = idleTime
	}
	t.use(config)
	return t, nil
}

// Name is the tunnel's name.
func (t *Tunnel) Name() string { return t.config().Name }

// Serve accepts connections until ctx ends or Retire, then stops accepting, lets open
// connections go on for Timeouts.Drain, closes them and returns nil.
// Connections that are accepted and not open yet when ctx ends have openGrace for it.
// Serve returns nil at once after Close, and early with an error, with all
// connections closed, if the listener breaks. It returns only after every
// goroutine that it began. It must be called at most once.
func (t *Tunnel) Serve(ctx context.Context) error {
	listener, err := t.beginServe()
	if err != nil {
		return err
	}
	accepting, stop := context.WithCancel(ctx)
	defer stop()
	opening, giveUp := context.WithCancel(context.WithoutCancel(ctx)) // ends what is not open yet
	defer giveUp()

	var supervisor, connections sync.WaitGroup
	supervisor.Go(func() {
		select {
		case <-accepting.Done():
		case <-t.retired:
			stop()
		}
		_ = t.closeListener() // ends accept
		t.letOpen(opening)
		giveUp()
	})
	over := make(chan struct{})
	supervisor.Go(func() { t.supervise(over) })
	supervisor.Go(func() { t.judgeSessions(over) })

	t.accepting.Store(true)
	err = t.accept(accepting, opening, listener, &connections)
	t.accepting.Store(false)
	stop()
	if err == nil {
		t.log.write(zapcore.InfoLevel, "stopping", zap.Int("open", t.sessions.count()))
		t.drain(&connections)
	} else {
		giveUp()
		t.sessions.close("the listener broke")
		connections.Wait()
	}

	giveUp()
	close(over)
	supervisor.Wait()
	t.log.write(zapcore.InfoLevel, "stopped")
	return err
}

// openGrace is how long a connection may still take to open that was accepted before the
// tunnel was told to stop: some round trips of any line. A restart resets nobody who has come
// in time.
const openGrace = 2 * time.Second

// letOpen waits until what is not open yet has to be given up, or nothing is left.
func (t *Tunnel) letOpen(opening context.Context) {
	grace := time.NewTimer(min(openGrace, t.config().Timeouts.Drain))
	defer grace.Stop()
	select {
	case <-grace.C:
	case <-t.closed:
	case <-opening.Done():
	}
}

// beginServe gives the listener to the one call of Serve.
func (t *Tunnel) beginServe() (net.Listener, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.listener == nil:
		return nil, errors.New("tunnel: Serve needs Listen before it")
	case t.served:
		return nil, errors.New("tunnel: Serve was called before")
	}
	t.served = true
	t.logListening()
	return t.listener, nil
}

// drain waits for the open connections as long as they may go on, ends those
// that are left, and returns when none is.
func (t *Tunnel) drain(connections *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() {
		connections.Wait()
		close(ended)
	}()
	patience := time.NewTimer(t.config().Timeouts.Drain)
	defer patience.Stop()
	select {
	case <-ended:
		return
	case <-patience.C:
		t.sessions.close("the tunnel stopped, and the time to drain is over")
	case <-t.closed:
		t.sessions.close("the tunnel was closed")
	}
	<-ended
}

// Close ends the listener and every connection at once. It does not wait for
// them; Serve does. It may be called at any time, more than once.
func (t *Tunnel) Close() error {
	t.closeOnce.Do(func() { close(t.closed) })
	if err := t.closeListener(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// isClosed reports whether Close was called.
func (t *Tunnel) isClosed() bool {
	select {
	case <-t.closed:
		return true
	default:
		return false
	}
}

// How often supervise looks at the sessions: often enough to end a silent one
// within a quarter more than its time.
const (
	superviseMin = 10 * time.Millisecond
	superviseMax = 10 * time.Second
)

// supervise checks the sessions until over is closed.
func (t *Tunnel) supervise(over <-chan struct{}) {
	ticker := time.NewTicker(t.superviseEvery())
	defer ticker.Stop()
	for {
		select {
		case <-over:
			return
		case <-t.updated:
			ticker.Reset(t.superviseEvery())
		case now := <-ticker.C:
			t.countFailures(now)
			for _, s := range t.sessions.list() {
				s.check(now)
			}
		}
	}
}

// superviseEvery is how often supervise looks at the sessions.
func (t *Tunnel) superviseEvery() time.Duration {
	timeouts := t.config().Timeouts
	shortest := min(timeouts.HalfClose, timeouts.Drain, t.reportEvery, t.userTimeout)
	for _, bound := range []time.Duration{timeouts.Idle, timeouts.SessionAge} {
		if bound > 0 {
			shortest = min(shortest, bound)
		}
	}
	return min(max(shortest/4, superviseMin), superviseMax)
}
