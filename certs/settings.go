package certs

import "strings"

// Setting is something that the user of a program sets, such as crl. This
// package does not know whether that is a flag or a key of a file: its
// messages (reasons, cures, hints, meanings) hold the name in marks, as in
// "‹crl› if-present". NameSettings puts in what the program calls it. No name
// that a peer sends reads like this: messages show its octets beyond ASCII
// escaped.
type Setting string

// The settings that messages speak of.
const (
	SettingAllowAll   Setting = "allow-all"   // NewAccess: every host
	SettingAllowDN    Setting = "allow-dn"    // NewAccess: a DN
	SettingAllowHost  Setting = "allow-host"  // NewAccess: a host
	SettingCAfile     Setting = "cafile"      // StoreConfig.CAfile
	SettingCApath     Setting = "capath"      // StoreConfig.CApath
	SettingCert       Setting = "cert"        // LoadCredential: the certificate's file
	SettingConnect    Setting = "connect"     // the address to which a client connects
	SettingCRL        Setting = "crl"         // Policy.CRL
	SettingEKU        Setting = "eku"         // Policy.EKU
	SettingKey        Setting = "key"         // LoadCredential: the key's file
	SettingMaxDepth   Setting = "max-depth"   // Policy.MaxDepth
	SettingMinTLS     Setting = "min-tls"     // Endpoint.MinVersion
	SettingNamespaces Setting = "namespaces"  // Policy.Namespaces
	SettingServerName Setting = "server-name" // VerifyOptions.Host
)

// settings lists them all.
var settings = []Setting{
	SettingAllowAll, SettingAllowDN, SettingAllowHost, SettingCAfile, SettingCApath, SettingCert, SettingConnect,
	SettingCRL, SettingEKU, SettingKey, SettingMaxDepth, SettingMinTLS, SettingNamespaces, SettingServerName,
}

// The marks around a setting in a message.
const (
	settingBegins = "‹"
	settingEnds   = "›"
)

// String is the setting as messages hold it.
func (s Setting) String() string { return settingBegins + string(s) + settingEnds }

// NameSettings gives a message in which each Setting is called what name calls
// it.
func NameSettings(message string, name func(Setting) string) string {
	if !strings.Contains(message, settingBegins) {
		return message
	}
	var pairs []string
	for _, s := range settings {
		pairs = append(pairs, s.String(), name(s))
	}
	return strings.NewReplacer(pairs...).Replace(message)
}
