package policy

// What the tests of package policy_test reach beyond the surface.

// Sound files.
const GoodNamespaces = `##############
#NAMESPACES-VERSION: 1.0
#
TO Issuer "/O=Grid/CN=CA" \
  PERMIT Subject "/O=Grid/.*"
`

const GoodSigningPolicy = `# A comment
access_id_CA   X509    '/O=Grid/CN=CA'   # with the rest of the line
pos_rights     globus  CA:sign
cond_subjects  globus  '"/O=Grid/*"'
`

// The bounds of files.
const (
	MaxStatements = maxNamespaceStatements
	MaxProblems   = maxNamespaceProblems
)

// Modes are the names of the modes.
var Modes = modes

// JudgeSlash is Judge of names in slash form, in this one reading.
func (f *File) JudgeSlash(issuer, subject string, own bool) Decision {
	return f.judge(issuer, subject, own)
}
