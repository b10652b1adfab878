package server

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Execer runs statements: a *sql.DB, a *sql.Conn.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Run executes statements in one session, which ends with them.
func (s *Server) Run(ctx context.Context, statements []Statement) error {
	conn, err := s.Session(ctx)
	if err != nil {
		return err
	}
	defer Discard(conn)
	return s.Exec(ctx, conn, statements...)
}

// Exec runs statements in order. The errors show them without their passwords.
// The session of statements that hold one must end with them: it logs nothing
// any more.
func (s *Server) Exec(ctx context.Context, on Execer, statements ...Statement) error {
	for _, statement := range statements {
		if len(statement.secrets) > 0 {
			if err := s.stopLogging(ctx, on); err != nil {
				return err
			}
		}
		if _, err := on.ExecContext(ctx, statement.sql); err != nil {
			return s.Explain(statement.shown, statement.scrub(err))
		}
	}
	return nil
}

// stopLogging keeps what a session runs from now on out of the server's general
// and slow logs: MariaDB writes passwords there as they are. That needs a
// privilege for the general log, and without it the work goes on: the rules warn
// of it.
func (s *Server) stopLogging(ctx context.Context, on Execer) error {
	for _, set := range []string{"SET SESSION long_query_time=31536000", "SET SESSION sql_log_off=1"} {
		if _, err := on.ExecContext(ctx, set); err != nil && !IsDenied(err) {
			return s.Explain(set, err)
		}
	}
	return nil
}

// freshSizes makes a session tell the sizes of tables as they are: MySQL tells
// them as they were up to a day ago (its manual,
// information_schema_stats_expiry).
const freshSizes = "SET SESSION information_schema_stats_expiry=0"

// FreshSizes makes a session tell the sizes of tables as they are.
func (s *Server) FreshSizes(ctx context.Context, on Execer) error {
	if !s.Version.AtLeast(MySQL, 8, 0, 3) {
		return nil
	}
	return s.Exec(ctx, on, SQL(freshSizes))
}

// Freshly is a query that tells the sizes of tables as they are, and so do those after it
// in its session.
func (s *Server) Freshly(query string) string {
	if s.packet == 0 || !s.Version.AtLeast(MySQL, 8, 0, 3) {
		return query
	}
	return freshSizes + "; " + query
}

// Variables gives some global variables by name in lower case; all if none is
// named.
func (s *Server) Variables(ctx context.Context, on Execer, names ...string) (map[string]string, error) {
	query := "SHOW GLOBAL VARIABLES"
	if len(names) > 0 {
		query += " WHERE variable_name IN (" + QuoteList(names) + ")"
	}
	rows, err := s.Query(ctx, on, query)
	variables := make(map[string]string, len(rows))
	for _, r := range rows {
		variables[strings.ToLower(r["variable_name"])] = r["value"]
	}
	return variables, err
}

// Value gives the only value of a query; empty if there is no row or it is NULL.
func (s *Server) Value(ctx context.Context, on Execer, query string, args ...any) (string, error) {
	rows, err := s.Query(ctx, on, query, args...)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	for _, v := range rows[0] {
		return v, nil
	}
	return "", nil
}

// Query gives all rows of a query. The error is a *finding.Problem.
func (s *Server) Query(ctx context.Context, on Execer, query string, args ...any) ([]Record, error) {
	rows, err := ReadRecords(ctx, on, query, args...)
	if err != nil {
		return nil, s.Explain(query, err)
	}
	return rows, nil
}

// ReadRecords gives all rows of a query, together with what is asked by others of the
// same context: see Together. The error is the driver's, for those who explain it in
// other words than the query.
func ReadRecords(ctx context.Context, on Execer, query string, args ...any) ([]Record, error) {
	query, args = fillIn(query, args)
	if p, ok := ctx.Value(placeKey{on}).(place); ok && len(args) == 0 {
		return p.ask(query, limitOf(ctx))
	}
	within, watch := newWatch(ctx, limitOf(ctx))
	defer watch.end()
	rows, err := on.QueryContext(within, query, args...)
	if err != nil {
		return nil, watch.explain(ctx, within, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err says it all
	records, err := scanRecords(rows)
	return records, watch.explain(ctx, within, err)
}

// fillIn puts arguments into a query, so that it need not be prepared first, which takes
// a round trip more. All are left where one is neither text nor a number.
func fillIn(query string, args []any) (string, []any) {
	parts := strings.Split(query, "?")
	if len(args) == 0 || len(parts) != len(args)+1 {
		return query, args
	}
	var filled strings.Builder
	filled.WriteString(parts[0])
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			if !utf8.ValidString(arg) {
				return query, args
			}
			filled.WriteString(QuoteString(arg))
		case int, int64, uint32, uint64:
			fmt.Fprint(&filled, arg)
		default:
			return query, args
		}
		filled.WriteString(parts[i+1])
	}
	return filled.String(), nil
}

// scanRecords reads all rows of one result.
func scanRecords(rows *sql.Rows) ([]Record, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	var records []Record
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		r := make(Record, len(columns))
		for i, column := range columns {
			if values[i].Valid {
				r[strings.ToLower(column)] = values[i].String
			}
		}
		records = append(records, r)
	}
	return records, rows.Err()
}

// Record is a row by its columns' names in lower case. A NULL is not in it.
type Record map[string]string

// Number is a column as a number; 0 if it is none, as where the server does not
// know it.
func (r Record) Number(column string) uint64 {
	n, _ := strconv.ParseUint(r[column], 10, 64)
	return n
}

// Time is a column as a time, in a session of ours, whose time zone is UTC; zero
// if it is none.
func (r Record) Time(column string) time.Time {
	t, _ := time.Parse(time.DateTime, r[column]) // a fraction is read as well
	return t
}

// List is a column's list, which has commas; nil if it is empty.
func (r Record) List(column string) []string {
	if r[column] == "" {
		return nil
	}
	return strings.Split(r[column], ",")
}

// Position is the position of a row of SHOW MASTER STATUS, or of one with the
// same names of columns.
func (r Record) Position() Position {
	return Position{
		File: r["file"], Offset: r.Number("position"),
		GTID: strings.ReplaceAll(r["executed_gtid_set"], "\n", ""),
	}
}
