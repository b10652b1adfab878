package tunnel

import (
	"errors"
	"net"
	"os"
)

// config is how the tunnel is configured at this moment. Nobody changes it.
func (t *Tunnel) config() *Config { return t.current.Load() }

// use puts a sound configuration in force.
func (t *Tunnel) use(config Config) {
	t.current.Store(&config)
	total, perSource, perPeer := config.Limits.Handshakes, 0, 0
	if config.Role == Server {
		total, perSource = min(total, OpenFilesLimit()/filesPerPlace), config.Limits.HandshakesPerSource
		perPeer = config.Limits.ConnectionsPerPeer
	}
	t.handshakes.limit(total, perSource)
	t.sessions.allow(config.Limits.Connections, perPeer)
}

// Update changes the configuration while the tunnel serves. Name, Role, Accept,
// SharePort and Logger stay as they are; another address or role is another
// tunnel (ListenAs). New connections follow the new configuration at once. Of
// the open ones,
//
//   - each is judged again by the new Endpoint and AllowFrom, and closed if its
//     peer is no longer accepted,
//   - timeouts count as if they had been so from the beginning,
//   - those above a limit go on,
//   - one whose target is no longer listed, or must prove another name now, goes
//     on for Timeouts.Drain, as at a stop; the others are not touched.
//
// The error is a *ConfigError; nothing has changed then.
func (t *Tunnel) Update(config Config) error {
	before := t.config()
	config.Name, config.Role, config.Accept = before.Name, before.Role, before.Accept
	config.SharePort = before.SharePort
	config = config.withDefaults()
	config.Logger = before.Logger
	if err := config.check(); err != nil {
		return err
	}
	t.use(config)
	t.forgetFarEnd(before)
	select {
	case t.updated <- struct{}{}:
	default: // it is to look anyway
	}
	t.Recheck()
	return nil
}

// Retire ends Serve as the end of its context does, for a tunnel that the
// process does without from now on: AdminHandler no longer misses it, nor counts
// it. When it returns the tunnel no longer listens. It may be called at any time,
// more than once.
func (t *Tunnel) Retire() {
	t.retireOnce.Do(func() { close(t.retired) })
	_ = t.closeListener() // fails if it was closed before
}

// isRetired reports whether Retire was called.
func (t *Tunnel) isRetired() bool {
	select {
	case <-t.retired:
		return true
	default:
		return false
	}
}

// ListenAs is Listen for a tunnel that comes in the place of another, which
// listens at the same address: they share its listener until the old one is
// ended, and so no connection is refused in between. If this tunnel is closed
// before it serves, the old one is as it was.
func (t *Tunnel) ListenAs(old *Tunnel) error {
	old.mu.Lock()
	defer old.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	shared, ok := old.listener.(interface{ File() (*os.File, error) })
	switch {
	case t.listener != nil:
		return errors.New("tunnel: Listen was called before")
	case !ok:
		return errors.New("tunnel: ListenAs needs a tunnel that listens")
	}
	file, err := shared.File()
	if err != nil {
		return listenError(t.config().Accept, err)
	}
	defer func() { _ = file.Close() }() // the listener has a descriptor of its own
	listener, err := net.FileListener(file)
	if err != nil {
		return listenError(t.config().Accept, err)
	}
	t.listener, t.lent, old.heir = listener, old.lent, t
	return nil
}

// closeListener ends the listener, if there is one. The file of a unix socket is
// left to the heir.
func (t *Tunnel) closeListener() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listener == nil {
		return nil
	}
	if socket, ok := t.listener.(*net.UnixListener); ok && t.heir != nil && !t.heir.isClosed() {
		socket.SetUnlinkOnClose(false)
		t.heir.removeSocket()
	}
	return t.listener.Close()
}

// removeSocket has the end of the listener remove its unix socket.
func (t *Tunnel) removeSocket() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if socket, ok := t.listener.(*net.UnixListener); ok && !t.lent {
		socket.SetUnlinkOnClose(true)
	}
}
