// Package replication is an example: a master and a slave of MariaDB in two
// sites of containers, joined by a gtunnel on each side. README.md tells how
// to run it; its test runs it and restarts every container.
package replication
