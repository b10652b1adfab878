package seed

import (
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// binlogTool is the tool that reads the binary log of a server of a family.
func binlogTool(family server.Family) toolKind {
	if family == server.MariaDB {
		names := []string{"mariadb-binlog", "mysqlbinlog"}
		return toolKind{names: names, family: server.MariaDB, debian: mariaDebian, el: mariaEL}
	}
	return toolKind{names: []string{"mysqlbinlog"}, family: server.MySQL, debian: mysqlDebian, el: mysqlEL}
}

// ReadBinaryLog has the servers' own tool (mariadb-binlog, mysqlbinlog) write what the
// binary log of a server holds: as SQL, with the rows beside it as comments (--verbose),
// and times in UTC. It is of files, from an offset of the first of them on, and of these
// GTIDs of MySQL's only, if there are any. The tool logs in as s does, so that it needs
// to know nothing of the server's folders and keys. What it says when it fails is a
// Problem.
func ReadBinaryLog(
	ctx context.Context, s *server.Server, files []string, from uint64, gtids string, to io.Writer,
) error {
	t, err := findTool(ctx, binlogTool(s.Version.Family))
	if err != nil {
		return err
	}
	t.environment = []string{"TZ=UTC"}
	args := []string{"--read-from-remote-server", "--verbose", "--start-position=" + strconv.FormatUint(from, 10)}
	if option := t.knows("skip-gtid-strict-mode"); option != "" { // which refuses what a server without it has logged
		args = append(args, "--"+option)
	}
	if gtids != "" {
		args = append(args, "--include-gtids="+gtids)
	}
	read, write, err := widePipe()
	if err != nil {
		return err
	}
	defer closeFiles(read)
	p, err := startTool(t, s.Login, append(append(args, "--"), files...), nil, write)
	if err != nil {
		return err
	}
	defer p.stop()
	stop := context.AfterFunc(ctx, p.stop)
	defer stop()
	if _, err := io.Copy(to, read); err != nil {
		return err
	}
	if err := p.failure(s.Role); err != nil {
		if failed, ok := errors.AsType[*finding.Problem](err); ok && ctx.Err() == nil {
			failed.Code = "binary-log-unreadable"
		}
		return errors.Join(ctx.Err(), err)
	}
	return ctx.Err()
}
