package archive

import (
	"fmt"
	"strings"

	"sallyport/shared/rollout"
)

// Kind is what sort of object it is: the second part of its name.
type Kind string

// The kinds of object.
const (
	KindPage   Kind = "pages"   // of an audit that has not ended
	KindExport Kind = "exports" // a finished audit, for people
	// KindLogHead is where the change log ended, night by night.
	KindLogHead Kind = "logheads"
)

// Name says where an object stands: "<tenant>/<kind>/<part>/.../<part>".
//
// The tenant stands first and no part has a "/" in it, so no two tenants share a
// prefix, whatever their ids are: a right to "<tenant>/*" is a right to that
// tenant's objects, and what lists or deletes by prefix stays with one tenant.
//
// Without a tenant, a kind or a part, or with an empty one, the whole name is
// empty, which every archive refuses. Objects are listed in the order of their
// names: write numbers with a fixed width.
func Name(tenant rollout.TenantID, kind Kind, parts ...string) string {
	if len(parts) == 0 {
		return ""
	}
	return strings.TrimSuffix(Prefix(tenant, kind, parts...), "/")
}

// Prefix is what the names of all objects of a tenant and a kind begin with that
// also begin with those parts. It ends with "/", so that run 1 never stands for
// run 10. It is empty where [Name] is, and every archive refuses to list it: an
// empty prefix would be everybody's objects.
func Prefix(tenant rollout.TenantID, kind Kind, parts ...string) string {
	var b strings.Builder
	for _, part := range append([]string{string(tenant), string(kind)}, parts...) {
		if part == "" {
			return ""
		}
		b.WriteString(escape(part))
		b.WriteByte('/')
	}
	return b.String()
}

// escape writes what is not plain as %XX, so that two different parts are never
// written alike and every archive takes them: "/" separates, "." and ".." would
// leave a folder, ".x" is a file half written, and S3 cannot list control
// characters.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
func escape(part string) string {
	var b strings.Builder
	for i := range len(part) {
		if c := part[i]; plain(c) && (c != '.' || i > 0) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

const (
	maxName = 1024 // bytes, as S3 takes them
	maxPart = 255  // bytes, as file systems take them
)

// checkName refuses what [Name] does not build: so that all archives take the
// same names, and none leaves its folder or tenant.
func checkName(name string) error {
	refuse := func(why string) error {
		return fmt.Errorf("archive: %w: %.200q %s; build it with archive.Name", ErrName, name, why)
	}
	switch {
	case name == "":
		return refuse("is empty, a part of it was missing")
	case len(name) > maxName:
		return refuse(fmt.Sprintf("has %d bytes, S3 takes %d", len(name), maxName))
	}
	parts := strings.Split(name, "/")
	if len(parts) < 3 {
		return refuse("lacks a tenant, a kind or a part")
	}
	for _, part := range parts {
		if why := checkPart(part); why != "" {
			return refuse(why)
		}
	}
	return nil
}

// checkPrefix refuses what [Prefix] does not build.
func checkPrefix(prefix string) error {
	inside, ended := strings.CutSuffix(prefix, "/")
	if !ended {
		return fmt.Errorf("archive: %w: the prefix %.200q does not end with a slash, it could be that of another; build it with archive.Prefix", ErrName, prefix)
	}
	return checkName(inside + "/x") // some object under it has a name
}

func checkPart(part string) (why string) {
	switch {
	case part == "":
		return "has an empty part"
	case part[0] == '.':
		return "has a part that begins with a dot"
	case len(part) > maxPart:
		return fmt.Sprintf("has a part of %d bytes, file systems take %d", len(part), maxPart)
	}
	for i := range len(part) {
		if !plain(part[i]) && part[i] != '%' {
			return fmt.Sprintf("has a %q in it", part[i])
		}
	}
	return ""
}

// checkNames refuses all if it refuses one.
func checkNames(names []string) error {
	for _, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return nil
}
