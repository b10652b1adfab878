package tunnel

import (
	"sync"
	"sync/atomic"
)

// batchSizes are how many bytes one read of a socket takes at most. A stream
// begins with the smallest; see batching.
var batchSizes = [...]int{64 << 10, 256 << 10, 1 << 20}

// slack is what a buffer holds beyond its batch. Records with their headers
// and tags are longer than the data in them, by 85 bytes in 16 KB at most (TLS
// 1.2, CBC); and the first record of a batch may have begun in the one before.
const slack = 16 << 10

// buffersLimit is how many bytes may be on their way in the whole process
// before every stream is held to the smallest size, so that thousands of
// connections which wait for slow readers do not hold gigabytes.
const buffersLimit = 64 << 20

var (
	bufferPools  [len(batchSizes)]sync.Pool
	buffersInUse atomic.Int64 // bytes of the buffers taken and not released
)

// buffer holds bytes that are on their way. Whoever takes one releases it, or
// hands it to somebody who does, as soon as the bytes have left it: nobody
// waits for data with a buffer in hand.
type buffer struct {
	size       int // index of batchSizes
	space      []byte
	start, end int // of the bytes in space
}

// takeBuffer gives an empty buffer of a size, or of the smallest while too many
// bytes are on their way.
func takeBuffer(size int) *buffer {
	if buffersInUse.Load() > buffersLimit {
		size = 0
	}
	b, ok := bufferPools[size].Get().(*buffer)
	if !ok {
		b = &buffer{size: size, space: make([]byte, batchSizes[size]+slack)}
	}
	buffersInUse.Add(int64(len(b.space)))
	return b
}

// release gives an own buffer back. It may be nil.
func (b *buffer) release() {
	if b == nil {
		return
	}
	b.start, b.end = 0, 0
	buffersInUse.Add(-int64(len(b.space)))
	bufferPools[b.size].Put(b)
}

// data is what the buffer holds, and free the space after it.
func (b *buffer) data() []byte { return b.space[b.start:b.end] }
func (b *buffer) free() []byte { return b.space[b.end:] }

// batching chooses the size of the next batch by what the last ones filled.
// The zero value begins with the smallest.
type batching struct {
	size int
	full int // full batches of this size, less what spoke against more
}

// How many full batches of each size make it grow, and how many bytes below
// the size count against it. The largest takes 32 MB of proof.
var fullToGrow = [len(batchSizes)]int{2, 128}

// saw notes how many bytes a read gave.
func (b *batching) saw(n int) {
	switch size := batchSizes[b.size]; {
	case n == size && b.size+1 < len(batchSizes):
		if b.full++; b.full == fullToGrow[b.size] {
			b.size, b.full = b.size+1, 0
		}
	case n < size/4 && b.size > 0:
		b.size, b.full = b.size-1, 0
	}
}
