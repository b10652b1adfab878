package server

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// sessions makes a server's connections. Their sessions are alike on every server: no
// sql_mode, so that quoting is what it seems, and UTC; no transaction that nobody began;
// and no end because of silence. A session is set up, and the server asked who it is, in
// one round trip after the login.
type sessions struct {
	driver.Connector

	took             func(time.Duration) // is told how long a round trip took
	once             sync.Once
	version, comment string
	first            uint64 // the id of the first session
	packet           int    // max_allowed_packet of the server
}

// greeting is what a server is asked of itself: its version, and which session that is.
const greeting = "VERSION(), @@version_comment, CONNECTION_ID()"

// beginSession sets a session up, and asks.
var beginSession = "SET sql_mode='', time_zone='+00:00', autocommit=1, wait_timeout=" +
	strconv.Itoa(SessionTimeout) + "; SELECT " + greeting + ", @@max_allowed_packet"

// connector makes the connections of a login.
func (s *Server) connector() (*sessions, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr = s.Login.Network, s.Login.Address
	config.User, config.Passwd = s.Login.User, s.Login.Password.Reveal()
	if s.Login.Network == "unix" {
		config.DialFunc = s.dialPeer
	}
	config.Timeout = ConnectTimeout
	config.Logger = &mysql.NopLogger{} // the errors are returned
	config.MultiStatements = true      // see Together
	connector, err := mysql.NewConnector(config)
	return &sessions{Connector: connector, took: s.took}, err
}

// Connect logs in and sets the session up.
func (c *sessions) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.begin(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// begin sets a session up.
func (c *sessions) begin(ctx context.Context, conn driver.Conn) error {
	queryer, ok := conn.(driver.QueryerContext)
	if !ok {
		return errors.New("the driver of MySQL asks nothing") // it does
	}
	began := time.Now()
	rows, err := queryer.QueryContext(ctx, beginSession, nil)
	if err != nil {
		return err
	}
	c.took(time.Since(began))
	row := make([]driver.Value, 4)
	err = rows.Next(row)
	if errors.Is(err, io.EOF) {
		err = errors.New("the server does not say who it is")
	}
	if err = errors.Join(err, rows.Close()); err != nil {
		return err
	}
	var said [4]sql.NullString
	for i := range said {
		if err := said[i].Scan(row[i]); err != nil {
			return err
		}
	}
	c.once.Do(func() {
		c.version, c.comment = said[0].String, said[1].String
		c.first, err = strconv.ParseUint(said[2].String, 10, 64)
		c.packet, _ = strconv.Atoi(said[3].String) // a number on every server
	})
	return err
}
