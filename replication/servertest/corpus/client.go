package corpus

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// Paste runs SQL on a server as an administrator would: by the command line
// client, which ends at the first error.
func Paste(ctx context.Context, s *servertest.Server, sql string) error {
	tool := toolName(s.Kind, "mariadb", "mysql")
	_, err := clientTool(ctx, s, sql, tool, "--default-character-set=utf8mb4", "--comments")
	return err
}

// toolName is the program of a kind's family.
func toolName(kind servertest.Kind, ofMariaDB, ofMySQL string) string {
	if kind.IsMySQL() {
		return ofMySQL
	}
	return ofMariaDB
}

// clientTool runs one of the kind's clients as the administrator, and gives its
// output.
func clientTool(ctx context.Context, s *servertest.Server, input, tool string, args ...string) (string, error) {
	path, err := s.Kind.Find(tool)
	if err != nil {
		return "", err
	}
	args = append([]string{"--no-defaults", "--socket=" + s.Socket, "--user=" + s.User}, args...)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(input)
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %s: %w: %s", s.Name, tool, err, bytes.TrimSpace(failed.Bytes()))
	}
	return out.String(), nil
}
