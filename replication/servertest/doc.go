// Package servertest runs throw-away MySQL and MariaDB servers, for tests and
// the quickstart. They listen on 127.0.0.1 only, and everything of them is gone
// when their Lab is closed.
package servertest
