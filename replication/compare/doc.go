// Package compare compares the tables of a master with those of its slave at one
// position of the master's binary log, and says which rows, tables and objects
// differ.
//
// The walk of a comparison: round reads what is there (schema, structure), lets
// the slave come to a position of the master and stops its SQL thread there,
// opens a snapshot on both (ends), pairs the tables, and compares each chunk by
// chunk (chunk, checksum, table); a chunk that differs is divided until the rows
// are found (diff). What may have changed meanwhile is compared once more.
//
// The slave's SQL thread stands only until both snapshots are open, and is started
// again whatever happens; a note tells the next run if this one was killed. No
// data is written on either server.
package compare
