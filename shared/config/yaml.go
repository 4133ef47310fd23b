package config

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth is how deep lists and mappings may stand in one another. A rollout
// needs four; the parser's time grows with the square of the depth.
const maxDepth = 16

// parseYAML returns the one document of the file. Anchors, aliases, merge keys
// and tags are refused where they stand, by the reader: a rollout.yaml needs
// none, and an alias can make a small file a huge one.
func parseYAML(text string, report *report) (ast.Node, bool) {
	tokens := lexer.Tokenize(text)
	if at, deep := tooDeep(tokens); deep {
		report.places[""] = at
		report.fail("", "lists and mappings stand in one another more than %d deep here", maxDepth)
		return nil, false
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		failSyntax(err, report)
		return nil, false
	}
	var documents []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			documents = append(documents, doc.Body)
		}
	}
	switch len(documents) {
	case 0:
		report.fail("", "the file is empty")
		return nil, false
	case 1:
		return documents[0], true
	}
	report.places[""] = placeOf(documents[1])
	report.failWith("", "one file for each tenant, without a line that holds only ---", "", "a second document begins here")
	return nil, false
}

func tooDeep(tokens token.Tokens) (place, bool) {
	flow, line, entries := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, entries = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			entries++
		}
		if flow > maxDepth || entries > maxDepth {
			return place{t.Position.Line, t.Position.Column}, true
		}
	}
	return place{}, false
}

// failSyntax reports where the parser stopped. It knows no second mistake.
func failSyntax(err error, report *report) {
	reason := err.Error()
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		reason = syntax.GetMessage()
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			report.places[""] = place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
		}
	}
	switch {
	case strings.Contains(reason, "already defined"):
		report.failWith("", "each key once", "", "this key stands twice (%s)", reason)
	case strings.Contains(reason, `'	'`):
		report.failWith("", "spaces at the beginning of a line, never a tab", "", "this line begins with a tab")
	default:
		report.failWith("", "`key: value` lines, those that belong together indented by the same number of spaces; a text that holds a colon, # or a quote stands in double quotes", `hours: "Mon-Fri: 8-18"`,
			"this cannot be read as YAML (%s)", reason)
	}
}

// placeOf returns where a node begins. The token of a mapping is its first
// colon, or its brace; it begins at its first key.
func placeOf(n ast.Node) place {
	if mapping, ok := n.(*ast.MappingNode); ok && !mapping.IsFlowStyle && len(mapping.Values) > 0 {
		n = mapping.Values[0].Key
	}
	if entry, ok := n.(*ast.MappingValueNode); ok {
		n = entry.Key
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}
