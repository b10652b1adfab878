package replication

// NumberRange is the clause by which a range of a table's primary key of
// numbers is read.
func NumberRange(columns, after, upto []string) string {
	k := &key{name: "PRIMARY", unique: true}
	for _, name := range columns {
		k.columns = append(k.columns, column{name: name, kind: "int"})
	}
	return k.clause(keyRange{after: after, upto: upto})
}

// CheckClone finds what keeps a seed by clone from being made, of the facts.
func CheckClone(s *Seed) Findings {
	c := &seedCheck{seed: s}
	c.clone()
	return c.Findings
}
