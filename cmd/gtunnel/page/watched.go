package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"
)

// What is taken of the process that watches the replication.
const (
	replicationTime  = 2 * time.Second
	replicationBytes = 256 << 10
)

// watched is what is known of a replication: what the process says that watches
// it, or why it says nothing.
type watched struct {
	replication *Replication // nil: nobody said
	none        bool         // no process watches it on this host
	problem     string       // why nobody said, where somebody should
}

// askReplication asks the process that watches the replication.
func askReplication(ctx context.Context, socket string) watched {
	ctx, cancel := context.WithTimeout(ctx, replicationTime)
	defer cancel()
	answer, err := getReplication(ctx, socket)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return watched{none: true}
	case errors.Is(err, fs.ErrPermission):
		return watched{problem: "this process may not open " + socket}
	case errors.Is(err, context.DeadlineExceeded):
		return watched{problem: "the process that watches it does not answer at " + socket}
	case err != nil:
		return watched{problem: err.Error()}
	}
	return watched{replication: answer}
}

// getReplication asks at a socket.
func getReplication(ctx context.Context, socket string) (*Replication, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/replication", http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // it is only read
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", socket, response.Status)
	}
	answer := new(Replication)
	if err := json.NewDecoder(io.LimitReader(response.Body, replicationBytes)).Decode(answer); err != nil {
		return nil, fmt.Errorf("%s answers what cannot be read: %w", socket, err)
	}
	if more := len(answer.History) - HistoryLimit; more > 0 {
		answer.History = answer.History[more:]
	}
	return answer, nil
}
