package failover

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// CopyRelayLog is Host.KeepRelayLog for a server of this host: it copies the files that
// the index names, and the index, into a new directory of mode 0700 below another one.
// They are on the disk when it returns.
func CopyRelayLog(below string) func(context.Context, *server.Server, string) (string, error) {
	return func(ctx context.Context, own *server.Server, index string) (string, error) {
		base, err := own.Value(ctx, own.DB, "SELECT @@GLOBAL.relay_log_basename")
		if err != nil {
			return "", err
		}
		files, err := relayFiles(own.Root(), index, filepath.Dir(base))
		if err != nil {
			return "", err
		}
		to := filepath.Join(below, "relay-log-"+time.Now().UTC().Format("20060102T150405Z"))
		if err := os.MkdirAll(to, 0o700); err != nil {
			return "", err
		}
		for _, file := range files {
			if err := ctx.Err(); err != nil {
				return "", err
			}
			if err := copyFile(file, filepath.Join(to, filepath.Base(file))); err != nil {
				return "", err
			}
		}
		return to, syncDirectory(to)
	}
}

// relayFiles are the paths of the index and of the files that it names, as this host has
// them: the server's root may be another.
func relayFiles(root, index, directory string) ([]string, error) {
	files := []string{filepath.Join(root, index)}
	content, err := os.Open(files[0])
	if err != nil {
		return nil, fmt.Errorf("the index of the relay log: %w", err)
	}
	defer func() { _ = content.Close() }() // it was only read
	lines := bufio.NewScanner(content)
	for lines.Scan() {
		if name := strings.TrimSpace(lines.Text()); name != "" {
			files = append(files, filepath.Join(root, directory, filepath.Base(name)))
		}
	}
	return files, lines.Err()
}

// copyFile copies a file, and has it on the disk before it returns.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}

// syncDirectory has the names of a directory on the disk.
func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	err = directory.Sync()
	if e := directory.Close(); err == nil {
		err = e
	}
	return err
}
