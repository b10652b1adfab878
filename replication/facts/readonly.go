package facts

import (
	"slices"

	"github.com/gtunnel/gtunnel/replication/server"
)

// MariaDB 12 knows more values of read_only than ON and OFF. Its option files, and those
// of earlier versions, take ON alone for sure.
const (
	noLock        = "NO_LOCK"
	noLockNoAdmin = "NO_LOCK_NO_ADMIN"
)

// ReadOnlyForAll reports whether nobody at all can write: by MySQL's super_read_only, or
// MariaDB's read_only=NO_LOCK_NO_ADMIN.
func (f *Facts) ReadOnlyForAll() bool {
	return f.On("super_read_only") || f.Variable("read_only") == noLockNoAdmin
}

// LetAdministratorsWrite gives the statements that let administrators write on a server
// that is ReadOnlyForAll, or is to be so again, and nobody else, and that end it.
func (f *Facts) LetAdministratorsWrite() (begin, end server.Statement) {
	if _, ok := f.Variables["super_read_only"]; ok {
		return server.SQL("SET GLOBAL super_read_only=0"), server.SQL("SET GLOBAL super_read_only=1")
	}
	return server.SQL("SET GLOBAL read_only=1"), server.SQL("SET GLOBAL read_only='%s'", noLockNoAdmin)
}

// WhileWritable gives lines of SQL for an administrator of the server: between what lets
// them write, and what ends that, if it is ReadOnlyForAll.
func (f *Facts) WhileWritable(lines ...string) []string {
	if !f.ReadOnlyForAll() {
		return lines
	}
	begin, end := f.LetAdministratorsWrite()
	return slices.Concat([]string{begin.String() + ";"}, lines, []string{end.String() + ";"})
}

// ReadOnly gives the statement that makes the server read-only as it is, or by ON.
func (f *Facts) ReadOnly() server.Statement {
	if is := f.Variable("read_only"); is == noLock || is == noLockNoAdmin {
		return server.SQL("SET GLOBAL read_only='%s'", is)
	}
	return server.SQL("SET GLOBAL read_only=1")
}
