package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// adminSockets is where the admin sockets are that commands preset.
const adminSockets = config.RuntimeFolder + "/*.sock"

// maxAnswer bounds the answer of a process, in bytes.
const maxAnswer = 64 << 20

// askerHint is who may ask.
const askerHint = "run this as root, or as the user of the process"

// expand lists the sockets that the pattern in an admin address finds. Other
// addresses stand for themselves; none for the usual folder.
func expand(admin tunnel.Address) ([]tunnel.Address, error) {
	if admin == (tunnel.Address{}) {
		admin = tunnel.Address{Network: "unix", Path: adminSockets}
	}
	if admin.Network != "unix" || !strings.Contains(admin.Path, "*") {
		return []tunnel.Address{admin}, nil
	}
	paths, err := filepath.Glob(admin.Path)
	if err != nil {
		return nil, &usage.Error{
			Where: "--admin", Message: fmt.Sprintf("%q is no pattern: %v", admin.Path, err),
			Cure: "write the path of one socket",
		}
	}
	// The process that watches the replication has no tunnels.
	paths = slices.DeleteFunc(paths, func(path string) bool { return filepath.Base(path) == page.SocketName })
	if len(paths) == 0 {
		folder := filepath.Dir(admin.Path)
		if _, err := os.ReadDir(folder); errors.Is(err, fs.ErrPermission) { // which Glob keeps to itself
			return nil, usage.WithHint(fmt.Errorf("cannot look for admin sockets: %w", err), askerHint)
		}
		return nil, usage.WithHint(
			fmt.Errorf("no gtunnel process has an admin socket in %s", folder),
			"is one running (systemctl status 'gtunnel*'; journalctl -u 'gtunnel*' says why not)? "+
				"One of another user than root needs an --admin of its own, "+
				"and this command the same one: --admin ADDRESS",
		)
	}
	var addresses []tunnel.Address
	for _, path := range paths {
		addresses = append(addresses, tunnel.Address{Network: "unix", Path: path})
	}
	return addresses, nil
}

// answered is what a process says of itself.
type answered struct {
	admin   tunnel.Address // where it was asked
	tunnels []tunnel.Status
}

// What a process is asked for its tunnels. An older one takes the second for the first.
const (
	askedStatus = "/status"
	askedReady  = "/status?ready=1" // and whether each can carry new connections; takes 8 s at most
)

// askAll asks the processes at an admin address, or pattern of some, at once for one of
// askedStatus and askedReady. A socket at which nobody listens is dead, not an error, if
// another process answers. The error joins the others'; some may have answered all the same.
func askAll(
	ctx context.Context, admin tunnel.Address, what string,
) (processes []answered, dead []tunnel.Address, err error) {
	addresses, err := expand(admin)
	if err != nil {
		return nil, nil, err
	}
	answers, errs := make([]tunnel.AdminStatus, len(addresses)), make([]error, len(addresses))
	var asking sync.WaitGroup
	for i, a := range addresses {
		asking.Go(func() { answers[i], errs[i] = askStatus(ctx, a, what) })
	}
	asking.Wait()
	var failed, refused []error
	for i, a := range addresses {
		switch err := errs[i]; {
		case err == nil:
			processes = append(processes, answered{admin: a, tunnels: answers[i].Tunnels})
		case errors.Is(err, syscall.ECONNREFUSED):
			dead, refused = append(dead, a), append(refused, err)
		default:
			failed = append(failed, err)
		}
	}
	if processes == nil {
		return nil, nil, errors.Join(append(failed, refused...)...)
	}
	return processes, dead, errors.Join(failed...)
}

// askStatus asks the process at an admin address for its tunnels.
func askStatus(ctx context.Context, admin tunnel.Address, what string) (status tunnel.AdminStatus, err error) {
	body, err := askProcess(ctx, admin, http.MethodGet, what, "")
	if err != nil {
		return status, err
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return status, usage.WithHint(fmt.Errorf("%s did not answer with a status: %w", admin, err), notAdmin)
	}
	return status, nil
}

// askProcess sends a request to the process at an admin address, and gives the
// answer.
func askProcess(ctx context.Context, admin tunnel.Address, method, path, body string) ([]byte, error) {
	return askWithin(ctx, 10*time.Second, admin, method, path, body)
}

// askWithin is askProcess for what may take another time.
func askWithin(
	ctx context.Context, patience time.Duration, admin tunnel.Address, method, path, body string,
) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at := admin
	if at.Network == "tcp" {
		at.Host = cmp.Or(at.Host, "127.0.0.1")
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		network, address := at.ForListen() // a process with the same --admin listens there
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	// The host only fills the request: the dialer knows where to go.
	request, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, usage.WithHint(fmt.Errorf("no answer from %s: %w", admin, errors.Unwrap(err)), askHint(err))
	}
	defer func() { _ = response.Body.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, usage.WithHint(fmt.Errorf("the answer of %s was cut off: %w", admin, err), notAdmin)
	case response.StatusCode == http.StatusOK:
		return text, nil
	case response.Header.Get(saidByUs) != "":
		message, cure, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		return nil, usage.WithHint(fmt.Errorf("%s: %s", admin, message), cure)
	default:
		return nil, usage.WithHint(fmt.Errorf("%s answered %s", admin, response.Status), notAdmin)
	}
}

// notAdmin is what to do about an answer that is none of ours.
const notAdmin = "is it the admin address of a gtunnel process? " +
	"One of an older version knows only status: restart it"

func askHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "the socket is its owner's alone: " + askerHint
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return "no process serves there: start one with this --admin, " +
			"or see systemctl status 'gtunnel*' and journalctl -u 'gtunnel*'"
	}
	return notAdmin
}
