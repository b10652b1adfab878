package main

import (
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
)

// withEvents remembers what the log says for the page.
func withEvents(logger *zap.Logger, events *page.Events) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewTee(core, events.Core())
	}))
}

// newPage makes the page about a process, whose configuration of the moment is
// shown.
func (m *Main) newPage(
	p *process, reloads *reloads, shown *atomic.Pointer[config.Config], events *page.Events,
) *page.Page {
	host, err := os.Hostname()
	if err != nil {
		host = "this host" // nothing but the heading needs it
	}
	return page.New(page.Source{
		Tunnels: func() []page.Tunnel {
			var tunnels []page.Tunnel
			for _, t := range p.all() {
				tunnels = append(tunnels, t)
			}
			return tunnels
		},
		Reload: func() page.Reload { return reloadOnPage(reloads.snapshot()) },
		Events: events,
		Words:  func(text string) string { return certs.NameSettings(text, shown.Load().SettingName) },
		Cure:   func(text string) string { return shown.Load().Words(text) },
		Socket: filepath.Join(m.runtimeFolder(), page.SocketName),
		Host:   host, Version: thisBuild().Version, Started: time.Now(),
	})
}

// reloadOnPage is how the reloads went, for the page.
func reloadOnPage(r reloadStatus) page.Reload {
	shown := page.Reload{Good: r.Good, Failed: r.Failed, LastGood: r.LastGood, Restart: r.Restart}
	for _, problem := range r.Problems {
		shown.Problems = append(shown.Problems, page.Problem(problem))
	}
	return shown
}

// logPage says where the page is, if it has an address that a browser can open.
func logPage(logger *zap.Logger, address net.Addr) {
	if address.Network() == "tcp" {
		logger.Info("page for a browser on this host", zap.String("at", "http://"+address.String()+"/"))
	}
}
