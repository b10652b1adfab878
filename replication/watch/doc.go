// Package watch says how the replication that feeds a slave is: what its threads
// do, how far it is behind, and whether the link is alive, which takes two looks
// at it where one does not tell.
//
// Read asks the master and the slave at once, the slave's position last, so that
// it has what the master had. It changes nothing.
package watch
