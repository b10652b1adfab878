// Package journal is what gtunnel notes on the disk of the slave: how far a setup
// has come, and which work has stopped a slave or opened it to writes, so that a
// run that was cut off is known for what it is.
//
// Files have the mode 0600, hold no passwords, and are written whole or not at
// all. Where a server says otherwise, the server is right.
package journal
