package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// startAdmin serves the state of the process at its admin address; it gives
// nil where there is none. An address that was asked for must be had. The
// preset is only a service to the administrator: without it the process goes
// on, and says so. A process whose address is a port has the preset too,
// because a port takes no changes.
func (m *Main) startAdmin(
	ctx context.Context, c config.Config, handler http.Handler, logger *zap.Logger,
) (*adminServer, error) {
	if c.Admin.None {
		return nil, nil //nolint:nilnil // none was wanted
	}
	var listeners []net.Listener
	if c.Admin.Address != (tunnel.Address{}) {
		listener, err := listenAdmin(ctx, c.Admin.Address)
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, listener)
		logPage(logger, listener.Addr())
	}
	if c.Admin.Network != "unix" {
		listener, err := listenPreset(ctx, m.runtimeFolder(), c.AdminSocket)
		if err != nil {
			logger.Info("no admin socket: gtunnel status will not find this process", zap.String("reason", err.Error()),
				zap.String("cure", "give it a socket of its own with --admin unix:PATH, or do without by --admin "+config.NoAdmin))
		} else {
			listeners = append(listeners, listener)
		}
	}
	if listeners == nil {
		return nil, nil //nolint:nilnil // it goes on without
	}
	admin := newAdminServer(listeners, handler, logger)
	go admin.serve()
	return admin, nil
}

// runtimeFolder is where the sockets of this host's processes are: systemd names
// it to a service.
func (m *Main) runtimeFolder() string {
	folder, _, _ := strings.Cut(m.Getenv("RUNTIME_DIRECTORY"), ":")
	return cmp.Or(folder, config.RuntimeFolder)
}

// listenPreset makes a socket in a folder, which it makes too where it is
// missing.
func listenPreset(ctx context.Context, folder, socket string) (net.Listener, error) {
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return listenAdmin(ctx, tunnel.Address{Network: "unix", Path: filepath.Join(folder, socket)})
}

// adminServer serves the state of the process to its administrator.
type adminServer struct {
	listeners []net.Listener
	server    *http.Server
	ended     chan struct{} // closed when serve ends
	err       error         // why, once ended is closed; nil after close
}

// listenAdmin binds an admin address. A unix socket is its owner's alone.
func listenAdmin(ctx context.Context, address tunnel.Address) (listener net.Listener, err error) {
	if network, at := address.ForListen(); network == "unix" {
		listener, err = listenPrivate(ctx, at)
	} else {
		listener, err = new(net.ListenConfig).Listen(ctx, network, at)
	}
	if err != nil {
		return nil, usage.WithHint(fmt.Errorf("cannot listen at the admin address %s: %w", address, err), listenHint(err))
	}
	return placesListener{Listener: listener, places: new(adminPlaces)}, nil
}

// newAdminServer makes a server that serve starts. The logger is told what goes
// wrong.
func newAdminServer(listeners []net.Listener, handler http.Handler, logger *zap.Logger) *adminServer {
	return &adminServer{
		listeners: listeners,
		server: &http.Server{
			Handler:           onlyLocal(handler),
			ConnContext:       withAsker,
			ConnState:         noteConnState,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
			ErrorLog: log.New(&adminLog{
				logger: logger, seldom: rate.Sometimes{First: 3, Interval: time.Minute},
			}, "", 0),
		},
		ended: make(chan struct{}),
	}
}

// adminLog makes lines of the log of what http.Server writes: one a minute at
// most after the first few, because it tries again and again where the process
// has no file left to open.
type adminLog struct {
	logger *zap.Logger
	seldom rate.Sometimes
}

func (l *adminLog) Write(text []byte) (int, error) {
	l.seldom.Do(func() {
		l.logger.Warn("admin server", zap.String("reason", strings.TrimSpace(string(text))))
	})
	return len(text), nil
}

// lostLines tells Prometheus how many lines the log has lost.
func lostLines(log *logQueue) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "gtunnel_log_lines_lost_total",
		Help: "Lines of the log that it has not taken: its disk was full, or its reader slow or gone.",
	}, func() float64 { return float64(log.lost.Load()) })
}

// buildInfo tells Prometheus which gtunnel this is.
func buildInfo() prometheus.Collector {
	build := thisBuild()
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gtunnel_build_info",
		Help: "Always 1; the labels say which gtunnel this is, and by which Go it was built.",
		ConstLabels: prometheus.Labels{
			"version": build.Version, "commit": build.Commit, "goversion": runtime.Version(),
		},
	}, func() float64 { return 1 })
}

// serve answers requests until close.
func (a *adminServer) serve() {
	defer close(a.ended)
	failed := make(chan error, len(a.listeners))
	for _, l := range a.listeners {
		go func() { failed <- a.server.Serve(l) }()
	}
	for range a.listeners {
		if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
			a.err = fmt.Errorf("admin: %w", err)
			_ = a.server.Close() // the others end too
		}
	}
}

// sockets are the paths of its unix sockets, and the folder that gtunnel makes for the preset
// one, where nobody can remove it without that.
func (a *adminServer) sockets() (paths []string) {
	for _, l := range a.listeners {
		at := l.Addr()
		if at.Network() != "unix" {
			continue
		}
		paths = append(paths, at.String())
		if folder := filepath.Dir(at.String()); folder == config.RuntimeFolder {
			paths = append(paths, folder)
		}
	}
	return paths
}

// close ends the server, once serve runs, and removes its socket.
func (a *adminServer) close() {
	_ = a.server.Close() // nothing but the listener can fail, and it is going
	<-a.ended
}

// onlyLocal refuses what a page of the web makes a browser of this host ask at a
// port: requests that name another host, whose name was made to lead here (DNS
// rebinding), and those on behalf of a page from elsewhere, but for a link that
// is followed to here (Fetch Metadata, W3C).
func onlyLocal(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && at.Network() == "unix" {
			handler.ServeHTTP(w, r)
			return
		}
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = strings.Trim(r.Host, "[]") // without a port
		}
		origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
		elsewhere := site != "" && site != "same-origin" && site != "none"
		switch {
		case !tunnel.Address{Network: "tcp", Host: host}.IsLoopback():
			message := fmt.Sprintf("the host %q is not this one: ask localhost or a loopback address", r.Host)
			http.Error(w, message, http.StatusForbidden)
		case origin != "" && origin != "http://"+r.Host:
			http.Error(w, fmt.Sprintf("pages of %q may not ask this", origin), http.StatusForbidden)
		case elsewhere && r.Header.Get("Sec-Fetch-Mode") != "navigate":
			http.Error(w, "pages from elsewhere may not ask this", http.StatusForbidden)
		default:
			handler.ServeHTTP(w, r)
		}
	})
}

// listenPrivate makes a unix socket with the mode 0600 from its first moment,
// in place of one that a process left behind. The umask is the process's, so
// this must run before anything else makes files.
func listenPrivate(ctx context.Context, path string) (net.Listener, error) {
	if err := tunnel.RemoveStaleSocket(ctx, path); err != nil {
		return nil, err
	}
	before := syscall.Umask(0o177)
	defer syscall.Umask(before)
	return new(net.ListenConfig).Listen(ctx, "unix", path)
}

// listenHint says what to do when an address could not be bound.
func listenHint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "another process has this address: stop it (ss -ltnpx shows which), or choose another address"
	case errors.Is(err, fs.ErrPermission):
		return "choose a port above 1023, or a folder that this user may write to"
	case errors.Is(err, fs.ErrNotExist):
		return "make the folder of the socket first"
	}
	return "choose another address"
}
