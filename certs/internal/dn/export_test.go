package dn

// Oneline is the name by its octets, as OpenSSL's X509_NAME_oneline shows it.
func (n *Name) Oneline() string { return n.Forms().octets.String() }
