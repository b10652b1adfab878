package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/tunnel"
)

// logLevels are the levels that a log may have.
var logLevels = []string{"debug", "info", "warn", "error"}

// adminHandler answers what tunnel.AdminHandler does about the tunnels of the
// moment in the user's words, and changes the running process:
//
//   - DELETE /tunnels/NAME/sessions/ID: closes a connection.
//   - PUT /log-level: sets the level to the one in the body until the next
//     start; the answer is the level before. GET gives the level.
//   - /reload: as reloads.handler has it.
//   - / and what it loads: the page for a person.
func adminHandler(
	tunnels func() []*tunnel.Tunnel, words func(string) string, log *logQueue, reloads *reloads, overview *page.Page,
	logger *zap.Logger,
) http.Handler {
	mux := http.NewServeMux()
	overview.Routes(mux)
	mux.Handle("/", tunnel.AdminHandler(tunnels, words, lostLines(log), buildInfo(), reloads))
	mux.HandleFunc("DELETE /tunnels/{tunnel}/sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
		closeSession(w, r, tunnels())
	})
	mux.HandleFunc("GET /log-level", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, log.level.Level())
	})
	mux.HandleFunc("PUT /log-level", func(w http.ResponseWriter, r *http.Request) {
		setLogLevel(w, r, log, logger)
	})
	return changesFromAskers(reloads.handler(mux))
}

// closeSession closes what the path names. A tunnel that is leaving may have the
// name of another.
func closeSession(w http.ResponseWriter, r *http.Request, tunnels []*tunnel.Tunnel) {
	name, id := r.PathValue("tunnel"), r.PathValue("id")
	closed := slices.ContainsFunc(tunnels, func(t *tunnel.Tunnel) bool {
		return t.Name() == name && t.CloseSession(id, "closed by "+askerOf(r))
	})
	if !closed {
		refuse(w, http.StatusNotFound, fmt.Sprintf("tunnel %s has no open connection %s", name, id),
			"gtunnel sessions lists what is open")
	}
}

// setLogLevel takes a level from the body.
func setLogLevel(w http.ResponseWriter, r *http.Request, log *logQueue, logger *zap.Logger) {
	const longest = 100
	text, err := io.ReadAll(io.LimitReader(r.Body, longest))
	word := strings.TrimSpace(string(text))
	level, levelErr := zapcore.ParseLevel(word)
	if err != nil || levelErr != nil || !slices.Contains(logLevels, word) {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("%q is no level", word), "write one of "+strings.Join(logLevels, ", "))
		return
	}
	before := log.changeLevel(level, logger, "log level changed until the next start", zap.String("by", askerOf(r)))
	fmt.Fprintln(w, before)
}

// saidByUs is the header of a refusal whose text is for a person: what is
// wrong, and on the next line what to do.
const saidByUs = "Gtunnel-Refusal"

func refuse(w http.ResponseWriter, status int, message, cure string) {
	w.Header().Set(saidByUs, "1")
	http.Error(w, message+"\n"+cure, status)
}

// asker is who is at the other end of a unix socket.
type asker struct {
	uid uint32
	pid int32
}

type askerKey struct{}

// withAsker notes who is at the other end of a connection, where the kernel
// knows it (SO_PEERCRED of unix(7)).
func withAsker(ctx context.Context, conn net.Conn) context.Context {
	if placed, ok := conn.(*placedConn); ok {
		conn = placed.Conn
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return ctx
	}
	var peer *unix.Ucred
	controlErr := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if controlErr != nil || err != nil {
		return ctx
	}
	return context.WithValue(ctx, askerKey{}, asker{uid: peer.Uid, pid: peer.Pid})
}

// askerOf names who sends a request that passed changesFromAskers, for the log.
func askerOf(r *http.Request) string {
	a, _ := r.Context().Value(askerKey{}).(asker)
	uid := strconv.FormatUint(uint64(a.uid), 10)
	name := "uid " + uid
	if account, err := user.LookupId(uid); err == nil {
		name = account.Username
	}
	return fmt.Sprintf("%s (pid %d)", name, a.pid)
}

// changesFromAskers lets root and the user of this process alone change
// something, for which they must come by a unix socket: a TCP port does not
// tell who is there.
func changesFromAskers(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, known := r.Context().Value(askerKey{}).(asker)
		switch {
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			handler.ServeHTTP(w, r)
		case !known:
			refuse(w, http.StatusForbidden, "changes are taken at a unix socket only, where the kernel tells who asks",
				"leave --admin out, or name the process's socket: --admin unix:PATH (it is "+adminSockets+
					" also where its own --admin is a port)")
		case a.uid != 0 && int(a.uid) != os.Geteuid():
			refuse(w, http.StatusForbidden, "only root and the user of the process may change something", askerHint)
		default:
			handler.ServeHTTP(w, r)
		}
	})
}
