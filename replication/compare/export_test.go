package compare

import "time"

// WithPatience is a comparison that gives up when the slave stands for a time.
func (c Comparison) WithPatience(d time.Duration) *Comparison {
	c.slavePatience = d
	return &c
}

// WithChunks is a comparison whose queries read about so many bytes each, so that
// small tables have several chunks.
func (c Comparison) WithChunks(bytes uint64) *Comparison {
	c.chunkSize = bytes
	return &c
}

// WithLimit is a comparison whose queries take no longer.
func (c Comparison) WithLimit(d time.Duration) *Comparison {
	c.queryLimit = d
	return &c
}
