package term

import "slices"

// Share notes which databases are of the pair, and which others the administrator has
// agreed to be on its servers.
func (n *Note) Share(databases, others []string) {
	n.Databases = slices.Clone(databases)
	n.Others = slices.Compact(slices.Sorted(slices.Values(others)))
}
