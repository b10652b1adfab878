package server

import "context"

// How a slave has what its master sends compressed: MySQL 8.0.18 and later by an option of
// CHANGE MASTER for each of its masters, all others by a variable of the server, which is
// asked when the slave connects.
const (
	Compressed   = "zstd,zlib,uncompressed" // the best that both ends can
	Uncompressed = "uncompressed"
)

// CompressesBySource reports whether it is an option of CHANGE MASTER.
func (v Version) CompressesBySource() bool { return v.AtLeast(MySQL, 8, 0, 18) }

// CompressionVariable is the variable of a server that has no such option.
const CompressionVariable = "slave_compressed_protocol"

// Algorithms gives those of the compression of a slave's default connection; empty where
// they are no option of it, or there is no connection.
func (s *Server) Algorithms(ctx context.Context, on Execer) (string, error) {
	if !s.Version.CompressesBySource() {
		return "", nil
	}
	return s.Value(ctx, on, "SELECT compression_algorithm FROM performance_schema.replication_connection_configuration"+
		" WHERE channel_name = ''")
}
