package certs

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// listBlock is one list of a file, or what is wrong with it.
type listBlock struct {
	der  []byte
	line int // of the BEGIN line, counted from 1; 0 in a DER file
	err  error
}

// splitLists finds the lists of a file: the blocks X509 CRL of a PEM file,
// whatever text or other blocks lie between them, or one DER after another.
// The blocks alias data where it is DER.
func splitLists(data []byte) []listBlock {
	if len(data) == 0 {
		return []listBlock{{err: errors.New("the file is empty")}}
	}
	isPEM := bytes.Contains(data, []byte("-----BEGIN "))
	var blocks []listBlock
	rest := cryptobyte.String(data)
	for rest.PeekASN1Tag(cbasn1.SEQUENCE) {
		var der cryptobyte.String
		before := rest
		if !rest.ReadASN1Element(&der, cbasn1.SEQUENCE) {
			break
		}
		if _, err := splitCRL(der); err != nil && isPEM {
			rest = before // text may begin with 0, which is the tag of a SEQUENCE
			break
		}
		blocks = append(blocks, listBlock{der: der})
		rest = bytes.TrimLeft(rest, " \t\r\n") // editors and scripts leave some
	}
	switch {
	case isPEM:
		blocks = append(blocks, splitPEMLists(rest)...)
		if len(blocks) == 0 {
			blocks = []listBlock{{err: errors.New("the file has no PEM block X509 CRL")}}
		}
	case len(rest) == 0:
	case rest[0] == 0x30:
		blocks = append(blocks, listBlock{err: errors.New("the CRL is cut off or is no DER")})
	case len(blocks) > 0:
		blocks = append(blocks, listBlock{err: fmt.Errorf("%d bytes follow the CRL", len(rest))})
	default:
		blocks = []listBlock{{err: fmt.Errorf("the file is no CRL, neither PEM nor DER: it begins with %s", clip(string(rest[:min(len(rest), 20)])))}}
	}
	return blocks
}

func splitPEMLists(data []byte) []listBlock {
	var blocks []listBlock
	for _, block := range readPEM(data) {
		if block.label == "X509 CRL" {
			blocks = append(blocks, listBlock{block.der, block.line, block.err})
		}
	}
	return blocks
}

// parseCRLs reads every list of a file, PEM or DER. What is wrong with one
// keeps no other from being used.
func parseCRLs(file string, data []byte) (lists []*crl, problems []Problem) {
	blocks := splitLists(data)
	for _, block := range blocks {
		list, err := (*crl)(nil), block.err
		if err == nil {
			list, err = parseCRL(file, block.der)
		}
		if err != nil {
			problems = append(problems, Problem{File: file, Line: block.line, Message: shorten("not a usable CRL: "+err.Error(), maxReason)})
			continue
		}
		if len(blocks) > 1 {
			list.line = block.line
		}
		lists = append(lists, list)
	}
	return lists, problems
}
