// Package seed copies databases from a master to a slave, at one position of the
// master's binary log: by the dump tools of the server's family through a pipe, by
// mydumper, by the CLONE plugin of MySQL, or by a dump that was made on the master's
// host and carried here.
//
// A copy is whole or it is an error. It reads tables of transactional engines
// without a lock but for the short one in which the copy begins; should that keep
// writers waiting, it is killed, and tried again. Every process, thread and
// session that a copy has begun has ended when Run returns.
//
// The walk of a row: startDump runs the tool that dumps (process, arguments),
// dumpStream reads the coordinates from its head and hands the rest on, and
// load runs the tool that loads. Beside it guard looks
// after the master's locks and binary log, and meter tells the progress. All that a copy
// gets from the master passes a relay that holds it to MaxRate, if there is one.
//
// The method parallel goes that walk several times at once: partition shares the tables
// out, gate holds the tools until all of them can take their snapshots at one moment, and
// what keepable finds of a copy that was cut off is not copied again.
//
// A dump that is carried goes the same walk in two halves: WriteDump begins it on the
// master's host, where deliver compresses it with its coordinates and a checksum, and
// DumpSource.Open takes it up on the slave's, once it is whole.
//
// A load of such a dump that was cut off is gone on with: cuts has the loader tell of each
// table before which all is loaded, loadNotes notes that, LeftOf says whether it still holds,
// and cuts leaves out what comes before that table the next time.
//
// Check says beforehand what a copy needs, and what it will not bring.
package seed
