package crl

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// MaxBytes is the size of the largest file that is read: a list of a million
// entries has about 40 MB.
const MaxBytes = 256 << 20

// Parse reads every list of a file, PEM or DER. What is wrong with one
// keeps no other from being used.
func Parse(file string, data []byte) (lists []*List, problems []files.Problem) {
	blocks := splitFile(data)
	for _, block := range blocks {
		list, err := (*List)(nil), block.Err
		if err == nil {
			list, err = parse(file, block.DER)
		}
		if err != nil {
			problems = append(problems, files.Problem{File: file, Line: block.Line, Message: "not a usable CRL: " + err.Error()})
			continue
		}
		if len(blocks) > 1 {
			list.Line = block.Line
		}
		lists = append(lists, list)
	}
	return lists, problems
}

// splitFile finds the lists of a file, and what is wrong with them: the blocks
// X509 CRL of a PEM file, whatever text or other blocks lie between them, or
// one DER after another. The blocks alias data where it is DER.
func splitFile(data []byte) []files.Block {
	if len(data) == 0 {
		return []files.Block{{Err: errors.New("the file is empty")}}
	}
	isPEM := bytes.Contains(data, []byte("-----BEGIN "))
	var blocks []files.Block
	rest := cryptobyte.String(data)
	for rest.PeekASN1Tag(cbasn1.SEQUENCE) {
		var der cryptobyte.String
		before := rest
		if !rest.ReadASN1Element(&der, cbasn1.SEQUENCE) {
			break
		}
		if _, err := split(der); err != nil && isPEM {
			rest = before // text may begin with 0, which is the tag of a SEQUENCE
			break
		}
		blocks = append(blocks, files.Block{DER: der})
		rest = bytes.TrimLeft(rest, " \t\r\n") // editors and scripts leave some
	}
	switch {
	case isPEM:
		blocks = append(blocks, splitPEMLists(rest)...)
		if len(blocks) == 0 {
			blocks = []files.Block{{Err: errors.New("the file has no PEM block X509 CRL")}}
		}
	case len(rest) == 0:
	case rest[0] == 0x30:
		blocks = append(blocks, files.Block{Err: errors.New("the CRL is cut off or is no DER")})
	case len(blocks) > 0:
		blocks = append(blocks, files.Block{Err: fmt.Errorf("%d bytes follow the CRL", len(rest))})
	default:
		start := rest[:min(len(rest), 20)]
		blocks = []files.Block{{Err: fmt.Errorf("the file is no CRL, neither PEM nor DER: it begins with %q", start)}}
	}
	return blocks
}

func splitPEMLists(data []byte) []files.Block {
	return slices.DeleteFunc(files.Blocks(data), func(block files.Block) bool { return block.Label != "X509 CRL" })
}
