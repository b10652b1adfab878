package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/tunnel"
)

// pageSocket is the socket at which the page asks how the replication is. It is in the folder of
// the tunnel's process, and is that folder's owner's: the process that shows the page has
// another user than the one that watches. Whoever makes that folder anew, as systemd does,
// takes the socket away, so keep is called again and again.
type pageSocket struct {
	folder  string
	handler http.Handler
	logger  *zap.Logger

	server *adminServer // nil: none
	made   fs.FileInfo  // of the socket
	said   string       // why there is none
}

// keep makes the socket where it is missing. The umask is the process's meanwhile, so nothing
// else may make files at that time.
func (s *pageSocket) keep(ctx context.Context) {
	err := s.make(ctx)
	switch {
	case err == nil:
		s.said = ""
	case err.Error() != s.said && ctx.Err() == nil:
		s.said = err.Error()
		s.logger.Info("no socket for the page: it does not show the replication", zap.String("reason", s.said))
	}
}

func (s *pageSocket) make(ctx context.Context) error {
	if err := os.Mkdir(s.folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	folder, err := os.Stat(s.folder)
	if err != nil {
		return err
	}
	path := filepath.Join(s.folder, page.SocketName)
	owner := ownerOf(folder)
	if now, err := os.Lstat(path); s.server != nil && err == nil && os.SameFile(now, s.made) && ownerOf(now) == owner {
		return nil
	}
	s.close()
	listener, err := listenAdmin(ctx, tunnel.Address{Network: "unix", Path: path})
	if err != nil {
		return err
	}
	if owner != os.Geteuid() {
		err = giveSocket(path, owner)
	}
	if err == nil {
		s.made, err = os.Lstat(path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("it cannot be the tunnel's: %w", err), listener.Close())
	}
	s.server = newAdminServer([]net.Listener{listener}, s.handler, s.logger)
	go s.server.serve()
	return nil
}

// giveSocket makes a socket of this process another user's. That user may write to the folder
// and could have put something else in its place meanwhile, such as a further name of a
// file of root's: what has been looked at is given, and nothing else.
func giveSocket(path string, owner int) error {
	file, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(file) //nolint:errcheck // it stands for a path only
	var is unix.Stat_t
	if err := unix.Fstat(file, &is); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if is.Mode&unix.S_IFMT != unix.S_IFSOCK || is.Nlink != 1 || int(is.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not the socket that was made there", path)
	}
	if err := unix.Fchownat(file, "", owner, -1, unix.AT_EMPTY_PATH); err != nil {
		return &fs.PathError{Op: "chown", Path: path, Err: err}
	}
	return nil
}

func (s *pageSocket) close() {
	if s.server != nil {
		s.server.close()
		s.server = nil
	}
}

// ownerOf is the user whose file it is.
func ownerOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return os.Geteuid()
}
