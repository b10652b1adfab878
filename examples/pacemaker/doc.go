// Package pacemaker is an example: a pair of gtunnel's whose roles a Pacemaker cluster
// decides, with a quorum device on a third host and with fencing. README.md tells how it is
// set up; its test sets it up in three containers, and loses a host, a link and the master.
package pacemaker
