package dn

import "strings"

// attributeNames are the short names of attribute types, as OpenSSL prints
// them in the slash form. Types that are not here are written as dotted OIDs.
var attributeNames = map[string]string{
	"2.5.4.3":   "CN",
	"2.5.4.4":   "SN",
	"2.5.4.5":   "serialNumber",
	"2.5.4.6":   "C",
	"2.5.4.7":   "L",
	"2.5.4.8":   "ST",
	"2.5.4.9":   "street",
	"2.5.4.10":  "O",
	"2.5.4.11":  "OU",
	"2.5.4.12":  "title",
	"2.5.4.13":  "description",
	"2.5.4.14":  "searchGuide",
	"2.5.4.15":  "businessCategory",
	"2.5.4.16":  "postalAddress",
	"2.5.4.17":  "postalCode",
	"2.5.4.18":  "postOfficeBox",
	"2.5.4.19":  "physicalDeliveryOfficeName",
	"2.5.4.20":  "telephoneNumber",
	"2.5.4.41":  "name",
	"2.5.4.42":  "GN",
	"2.5.4.43":  "initials",
	"2.5.4.44":  "generationQualifier",
	"2.5.4.45":  "x500UniqueIdentifier",
	"2.5.4.46":  "dnQualifier",
	"2.5.4.51":  "houseIdentifier",
	"2.5.4.65":  "pseudonym",
	"2.5.4.72":  "role",
	"2.5.4.97":  "organizationIdentifier",
	"2.5.4.98":  "c3",
	"2.5.4.99":  "n3",
	"2.5.4.100": "dnsName",

	"0.9.2342.19200300.100.1.1":  "UID",
	"0.9.2342.19200300.100.1.3":  "mail",
	"0.9.2342.19200300.100.1.4":  "info",
	"0.9.2342.19200300.100.1.9":  "host",
	"0.9.2342.19200300.100.1.25": "DC",
	"0.9.2342.19200300.100.1.37": "associatedDomain",
	"0.9.2342.19200300.100.1.44": "uid",

	"1.2.840.113549.1.9.1": "emailAddress",
	"1.2.840.113549.1.9.2": "unstructuredName",
	"1.2.840.113549.1.9.7": "challengePassword",
	"1.2.840.113549.1.9.8": "unstructuredAddress",

	"1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL",
	"1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST",
	"1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
}

const (
	oidCommonName   = "2.5.4.3"
	oidEmailAddress = "1.2.840.113549.1.9.1"
)

// attributeAliases maps every spelling of an attribute type that grid tools
// have used in slash forms, in lower case, to the one that this package
// compares by.
var attributeAliases = map[string]string{
	"e":             "emailaddress",
	"email":         "emailaddress",
	"userid":        "uid",
	"s":             "st",
	"streetaddress": "street",
	"surname":       "sn",
	"givenname":     "gn",
}

// attributeKey is the form of an attribute type's name that is compared: in
// lower case, with one spelling for each type. The case matters once: OpenSSL
// writes uid for uniqueIdentifier (0.9.2342.19200300.100.1.44), UID for the
// user id (0.9.2342.19200300.100.1.1), which older tools write USERID.
func attributeKey(name string) string {
	if name == "uid" {
		return "uniqueidentifier"
	}
	name = strings.ToLower(name)
	if alias, ok := attributeAliases[name]; ok {
		return alias
	}
	return name
}

// name is the attribute's short name or dotted OID.
func (a attribute) name() string {
	if short, ok := attributeNames[a.oid]; ok {
		return short
	}
	return a.oid
}
