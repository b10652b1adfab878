package seed

// Compression of the protocol is the server's work and a tool's: zlib, or zstd of MySQL 8.0.18
// and later, which asks for less of it. A server that knows neither is asked plainly.

// compressOptions are a tool's to have what it gets compressed, the best first. That of
// mydumper comes before one of the same name as the others', by which it compresses files.
var compressOptions = []string{"compression-algorithms=zstd,zlib,uncompressed", "compress-protocol", "compress"}

// compression is what a tool is told of the compression of what it gets from the master.
func (s *Seed) compression(t *tool) []string {
	option := t.knows(compressOptions...)
	if !s.Compress || option == "" {
		return nil
	}
	return []string{"--" + option}
}
