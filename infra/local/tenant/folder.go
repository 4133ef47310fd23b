package tenant

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Report says how a folder was read.
type Report struct {
	Loaded   []Loaded
	Missing  []Missing
	Problems []Problem // what was not, or not wholly, taken over
	Unused   []Problem // files that are no part of a tenant
}

// Loaded is a listing that was found.
type Loaded struct {
	Listing string
	Files   []string
	Rows    int
}

// Missing is a listing that was not found, and what is assumed instead.
type Missing struct {
	Listing, Assumed string
}

// Problem names what could not be taken over as it stood.
type Problem struct {
	File string // within the folder; or the name of a listing
	What string
}

func (p Problem) String() string { return p.File + ": " + p.What }

// Lines tells the report to a person, most important first.
func (r Report) Lines() []string {
	var out []string
	for _, p := range r.Problems {
		out = append(out, p.String())
	}
	for _, m := range r.Missing {
		out = append(out, m.Listing+" is missing; assumed: "+m.Assumed)
	}
	for _, u := range r.Unused {
		out = append(out, u.File+" was not used: "+u.What)
	}
	for _, l := range r.Loaded {
		out = append(out, fmt.Sprintf("%s: %d from %s", l.Listing, l.Rows, strings.Join(l.Files, ", ")))
	}
	return out
}

// found is what a folder holds of one listing.
type found struct {
	rows  []source
	keyed map[string]any    // user id -> value
	from  map[string]string // user id -> file
	files []string
	more  bool // the last page is not there
}

// source is a row and the file it came from.
type source struct {
	file string
	row  Object
}

// folder reads a directory into listings. A file that cannot be read is named
// in the report; of users and policies it is an error, since leaving one out
// could make somebody look excluded.
func folder(dir string, r *Report) (map[string]*found, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the tenant's folder: %w", err)
	}
	out := map[string]*found{}
	for _, e := range entries {
		name := e.Name()
		isJSON := strings.EqualFold(filepath.Ext(name), ".json")
		l, why, known := listingOf(name)
		switch {
		case strings.HasPrefix(name, "."):
			continue
		case !e.IsDir() && !isJSON:
			r.Unused = append(r.Unused, Problem{name, "it is no .json file"})
			continue
		case !known:
			r.Unused = append(r.Unused, Problem{name, why})
			continue
		}
		files := []string{name}
		if e.IsDir() {
			if files, err = jsonFiles(dir, name, r); err != nil {
				return nil, err
			}
		}
		if out[l.name] == nil {
			out[l.name] = &found{keyed: map[string]any{}, from: map[string]string{}}
		}
		if err := out[l.name].read(dir, files, l, r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// jsonFiles lists the files of a listing that is a folder, in order of name.
func jsonFiles(dir, name string, r *Report) ([]string, error) {
	var files []string
	err := fs.WalkDir(os.DirFS(dir), name, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
		case strings.EqualFold(filepath.Ext(path), ".json"):
			files = append(files, path)
		default:
			r.Unused = append(r.Unused, Problem{path, "it is no .json file"})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the folder %s: %w", name, err)
	}
	return files, nil
}

// read takes the files of one listing. All of them are pages of it.
func (f *found) read(dir string, files []string, l kept, r *Report) error {
	vital := l.assumed == ""
	pages, last := 0, 0
	for _, file := range files {
		values, err := readJSON(filepath.Join(dir, filepath.FromSlash(file)))
		if err == nil && l.keyed {
			err = f.takeKeyed(file, values)
		} else if err == nil {
			var more bool
			more, err = f.takeRows(file, values, l, r)
			pages++
			if !more {
				last++
			}
		}
		switch {
		case err != nil && vital:
			return fmt.Errorf("%s cannot be read, and a %s left out could make somebody look excluded: %w", file, strings.TrimSuffix(l.name, "s"), err)
		case err != nil:
			r.Problems = append(r.Problems, Problem{file, "cannot be read: " + err.Error()})
			continue
		}
		f.files = append(f.files, file)
	}
	if pages > 0 && last == 0 {
		f.more = true
	}
	return nil
}

// takeRows unwraps rows from whatever a tool put around them.
func (f *found) takeRows(file string, values []any, l kept, r *Report) (more bool, err error) {
	for _, v := range values {
		rows, hasMore, err := unwrap(v, l, 0)
		if err != nil {
			return false, err
		}
		more = more || hasMore
		for i, row := range rows {
			o, is := row.(Object)
			if !is {
				return false, fmt.Errorf("row %d is no object", i+1)
			}
			for _, what := range drop(o, l.types) {
				r.Problems = append(r.Problems, Problem{file, fmt.Sprintf("row %d (%s): %s", i+1, nameOf(o), what)})
			}
			f.rows = append(f.rows, source{file, o})
		}
	}
	return more, nil
}

func nameOf(o Object) string {
	for _, k := range []string{"id", "userPrincipalName", "displayName"} {
		if s := text(o, k); s != "" {
			return s
		}
	}
	return "without a name"
}

// drop removes properties of a type that Graph never gives them and says so.
func drop(o Object, types map[string]string) []string {
	var said []string
	for _, k := range sortedKeys(types) {
		v, has := o[k]
		if !has || v == nil {
			continue
		}
		var is bool
		switch types[k] {
		case "string":
			_, is = v.(string)
		case "bool":
			_, is = v.(bool)
		case "list":
			_, is = v.([]any)
		case "object":
			_, is = v.(Object)
		case "time":
			is = !moment(o, k).IsZero()
		}
		if !is {
			delete(o, k)
			said = append(said, fmt.Sprintf("%s is no %s and counts as not known", k, types[k]))
		}
	}
	return said
}

// envelopes are the properties in which tools put what Graph answered.
var envelopes = []string{"value", "body", "data", "items", "results", "result", "rows", "policies", "policy", "content", "response", "responses", "output", "payload"}

// unwrap finds the rows in a document: an array, one object, {"value": [...]},
// the answer of a $batch, or any of these inside a tool's envelope.
func unwrap(v any, l kept, depth int) (rows []any, more bool, err error) {
	if depth > 6 {
		return nil, false, errors.New("it is wrapped too deep")
	}
	if array, is := v.([]any); is {
		for _, e := range array {
			inner, hasMore, err := unwrap(e, l, depth+1)
			if err != nil {
				return nil, false, err
			}
			rows, more = append(rows, inner...), more || hasMore
		}
		return rows, more, nil
	}
	o, is := v.(Object)
	if !is {
		return nil, false, fmt.Errorf("an object or a list was expected, and it is %T", v)
	}
	if status, has := number(o["status"]); has && at(o, "body") != nil {
		if status >= 400 {
			return nil, false, fmt.Errorf("it holds an error with status %v instead of an answer", status)
		}
		return unwrap(o["body"], l, depth+1)
	}
	if e := object(o, "error"); e != nil && text(e, "code") != "" {
		return nil, false, fmt.Errorf("it holds the error %s instead of an answer", text(e, "code"))
	}
	_, hasID := o["id"]
	if value, is := o["value"].([]any); is && !hasID {
		rows, more, err = unwrap(value, l, depth+1)
		_, next := o["@odata.nextLink"]
		return rows, more || next, err
	}
	for _, k := range sortedKeys(o) {
		if inner, is := o[k].([]any); is && strings.EqualFold(k, l.name) {
			return unwrap(inner, l, depth+1) // in an envelope that has an id of its own, perhaps
		}
	}
	if isRow(o) {
		return []any{o}, false, nil
	}
	for _, k := range envelopes {
		for _, have := range sortedKeys(o) {
			if strings.EqualFold(k, have) && (at(o, have) != nil) {
				switch o[have].(type) {
				case []any, Object:
					return unwrap(o[have], l, depth+1)
				}
			}
		}
	}
	return nil, false, errors.New("no rows were found in it")
}

// isRow reports whether an object is a thing of Graph and no envelope.
func isRow(o Object) bool {
	for _, k := range []string{"id", "userPrincipalName", "principalId", "isEnabled", "authenticationMethodConfigurations", "skuId", "verifiedDomains", "conditions"} {
		if _, has := o[k]; has {
			return true
		}
	}
	return false
}

// takeKeyed reads an object from user id to value; in a folder, the file's name
// may be the id.
func (f *found) takeKeyed(file string, values []any) error {
	put := func(id string, v any) { f.keyed[strings.ToLower(id)], f.from[strings.ToLower(id)] = v, file }
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	for _, v := range values {
		o, isObject := v.(Object)
		if isID(base) {
			put(base, v)
			continue
		}
		if !isObject {
			for _, e := range orEmpty(asList(v)) {
				row, _ := e.(Object)
				id := text(row, "userId")
				if id == "" {
					id = text(row, "id")
				}
				if !isID(id) {
					return errors.New("a row does not say whose it is: expected an object from user id to value")
				}
				put(id, firstOf(row, "methods", "value", "userPurpose", "authenticationMethods", perUserState))
			}
			continue
		}
		n := 0
		for _, id := range sortedKeys(o) {
			if isID(id) {
				put(id, o[id])
				n++
			}
		}
		if n == 0 && len(o) > 0 {
			return errors.New("it does not say whose it is: expected an object from user id to value")
		}
	}
	return nil
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

func firstOf(o Object, keys ...string) any {
	for _, k := range keys {
		if v, has := o[k]; has {
			return v
		}
	}
	return nil
}

// isID reports whether a string is a directory object's id.
func isID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (r == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return false
		}
	}
	return true
}

// readJSON reads the documents of a file: UTF-8 with or without a mark, or
// UTF-16 with one.
func readJSON(path string) ([]any, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err = toUTF8(b)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var out []any
	for {
		var v any
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("it is no JSON: %w", err)
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return nil, errors.New("it is empty")
	}
	return out, nil
}

func toUTF8(b []byte) ([]byte, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xEF, 0xBB, 0xBF}):
		b = b[3:]
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		order = binary.BigEndian
	}
	if order == nil {
		if !utf8.Valid(b) {
			return nil, errors.New("it is neither UTF-8 nor UTF-16 with a byte order mark")
		}
		return b, nil
	}
	b = b[2:]
	if len(b)%2 != 0 {
		return nil, errors.New("it is UTF-16 that ends in the middle of a letter")
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return []byte(string(utf16.Decode(units))), nil
}
