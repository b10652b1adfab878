package replication

import "context"

type Comparison struct {
	Master, Slave *Server
	Databases     []string
}
type CompareResult struct{}

func (r *CompareResult) Equal() bool                                  { return true }
func (c *Comparison) Run(ctx context.Context) (*CompareResult, error) { return &CompareResult{}, nil }
