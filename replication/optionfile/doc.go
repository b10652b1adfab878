// Package optionfile reads and writes the option files of MySQL and MariaDB: the
// login of a person or of gtunnel itself, and the drop-in by which settings
// outlive a restart.
//
// It reads as the servers and their programs do (my_default.c of both families).
// It writes only files that gtunnel has made, whole or not at all, and refuses
// those that it has not.
package optionfile
