package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/tunnel"
)

// runtimeFolder is where the admin sockets are, unless systemd names another
// folder to the service (RUNTIME_DIRECTORY of systemd.exec(5)).
const runtimeFolder = "/run/gtunnel"

// adminAddress is where a process answers gtunnel status. The zero value is
// the socket that its command presets.
type adminAddress struct {
	tunnel.Address
	none bool
}

// noAdmin is the word for no admin address at all.
const noAdmin = "none"

// UnmarshalText reads an address, or none.
func (a *adminAddress) UnmarshalText(text []byte) error {
	if string(text) == noAdmin {
		*a = adminAddress{none: true}
		return nil
	}
	*a = adminAddress{}
	return a.Address.UnmarshalText(text)
}

// MarshalText writes nothing for the preset.
func (a *adminAddress) MarshalText() ([]byte, error) {
	switch {
	case a.none:
		return []byte(noAdmin), nil
	case a.Address == (tunnel.Address{}):
		return nil, nil
	}
	return a.Address.MarshalText()
}

// startAdmin serves the state of the process at its admin address; it gives
// nil where there is none. An address that was asked for must be had. The
// preset is only a service to the administrator: without it the process goes
// on, and says so.
func (m *Main) startAdmin(ctx context.Context, config Config, handler http.Handler, logger *zap.Logger) (admin *adminServer, err error) {
	switch {
	case config.Admin.none:
		return nil, nil //nolint:nilnil // none was wanted
	case config.Admin.Address != (tunnel.Address{}):
		admin, err = listenAdmin(ctx, config.Admin.Address, handler, logger)
	default:
		folder, _, _ := strings.Cut(m.Getenv("RUNTIME_DIRECTORY"), ":")
		admin, err = listenPreset(ctx, cmp.Or(folder, runtimeFolder), config.AdminSocket, handler, logger)
		if err != nil {
			logger.Info("no admin socket: gtunnel status will not find this process", zap.String("reason", err.Error()),
				zap.String("cure", "give it a socket of its own with --admin unix:PATH, or do without by --admin "+noAdmin))
			return nil, nil //nolint:nilnil // it goes on without
		}
	}
	if err != nil {
		return nil, err
	}
	go admin.serve()
	return admin, nil
}

// listenPreset makes a socket in a folder, which it makes too where it is
// missing.
func listenPreset(ctx context.Context, folder, socket string, handler http.Handler, logger *zap.Logger) (*adminServer, error) {
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return listenAdmin(ctx, tunnel.Address{Network: "unix", Path: filepath.Join(folder, socket)}, handler, logger)
}
