// Package replication is an example: a master and a slave of MariaDB on two
// hosts of containers, joined by a gtunnel on each and set up by gtunnel
// replication. README.md tells how to run it; its test runs it and restarts what
// runs on the hosts.
package replication
