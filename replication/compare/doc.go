// Package compare compares the data of a master and a slave at one position of
// the binary log, chunk by chunk, and says which rows differ.
//
// It stops the slave's SQL thread for as long as snapshots are opened, and starts
// it again whatever happens. It writes nothing on either server.
package compare
