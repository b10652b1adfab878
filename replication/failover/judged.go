package failover

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/server"
)

// mostEmpty is up to how many transactions are written empty: more are noted at once.
const mostEmpty = 500

// takeJudged has the new master go on beyond the GTIDs that the old one has alone, and of
// which its rejoin has seen that they are not wanted: see term.Note.Judged. The guard of
// the master calls it with what the peer publishes under the same term. It changes no
// data, and nothing once it is done.
//
// On MySQL these are empty transactions with the same GTIDs (its manual, "Injecting empty
// transactions"): otherwise this server, once it follows the other, would ask for them,
// when the other's binary log does not have them any more. MariaDB's next GTID becomes
// one with a higher number: otherwise the other one, in gtid_strict_mode, could not log
// what this server writes.
func takeJudged(ctx context.Context, own *server.Server, judged string) error {
	lacking, err := lacksJudged(ctx, own, judged)
	if err != nil || lacking == "" {
		return err
	}
	if own.Version.Family == server.MariaDB {
		for _, g := range server.ParseGTIDs(lacking) {
			if err := own.Run(ctx, server.SkipGTID(g)); err != nil {
				return err
			}
		}
		return nil
	}
	if server.CountGTIDs(lacking) > mostEmpty {
		return own.Run(ctx, []server.Statement{own.Version.SetStart(lacking)})
	}
	var statements []server.Statement
	for _, gtid := range server.EachGTID(lacking, mostEmpty) {
		statements = append(statements, server.EmptyTransaction(gtid)...)
	}
	return own.Run(ctx, statements)
}

// lacksJudged gives those of the judged GTIDs that a server has not gone beyond.
func lacksJudged(ctx context.Context, s *server.Server, judged string) (string, error) {
	variable := "gtid_executed"
	if s.Version.Family == server.MariaDB {
		variable = "gtid_binlog_state"
	}
	variables, err := s.Variables(ctx, s.DB, variable)
	if err != nil {
		return "", err
	}
	if s.Version.Family == server.MySQL {
		return server.SubtractGTIDs(judged, variables[variable]), nil
	}
	has, lacking := server.ParseGTIDList(variables[variable]), server.GTIDList{}
	for _, g := range server.ParseGTIDList(judged) {
		if has[g.Domain].Number <= g.Number && has[g.Domain] != g {
			lacking[g.Domain] = g
		}
	}
	return lacking.String(), nil
}
