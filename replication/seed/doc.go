// Package seed copies databases from a master to a slave, at one position of the
// master's binary log: by the dump tools of the server's family through a pipe, by
// mydumper, or by the CLONE plugin of MySQL.
//
// A copy is whole or it is an error. It reads tables without locking those of
// transactional engines, kills a lock of its own that keeps writers waiting, and
// ends every process and thread that it has begun.
package seed
