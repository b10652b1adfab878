package main

import "github.com/gtunnel/gtunnel/certs"

// CRLModes are the values of --crl.
func CRLModes() []string { return words[certs.CRLMode]() }

// NamespacesModes are the values of --namespaces.
func NamespacesModes() []string { return words[certs.NamespacesMode]() }
