package mail

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"slices"
)

// logoFile is the picture above every message to a person, in a folder of
// templates; largestLogo is how many bytes it may have, since everybody gets it.
const (
	logoFile    = "logo.png"
	largestLogo = 100 << 10
)

// NewRendererWith is [NewRenderer] with an operator's own folder laid over the
// templates that are built in: a file in it takes the place of the one of the
// same name (announcement.de.md, _help.fr.md, layout.html), and logo.png stands
// above every message to a person. A file that takes no place is an error: its
// name is misspelt, and nobody would see that.
func NewRendererWith(own fs.FS) (*Renderer, error) {
	files, err := fs.Sub(builtIn, "templates")
	if err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	entries, err := fs.ReadDir(own, ".")
	if err != nil {
		return nil, fmt.Errorf("folder of templates: %w", err)
	}
	for _, e := range entries {
		if _, err := fs.Stat(files, e.Name()); err != nil && e.Name() != logoFile {
			return nil, fmt.Errorf("folder of templates: %s takes the place of no template: expected a name like announcement.de.md, _help.fr.md, layout.html or %s", e.Name(), logoFile)
		}
	}
	return Load(overlay{own, files})
}

// overlay looks into own first.
type overlay struct{ own, below fs.FS }

// Open implements fs.FS.
func (o overlay) Open(name string) (fs.File, error) {
	f, err := o.own.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return o.below.Open(name)
	}
	return f, err
}

// Glob implements fs.GlobFS: a folder listing would show one of the two alone.
func (o overlay) Glob(pattern string) ([]string, error) {
	names, err := fs.Glob(o.below, pattern)
	if err != nil {
		return nil, err
	}
	own, err := fs.Glob(o.own, pattern)
	if err != nil {
		return nil, err
	}
	names = append(names, own...)
	slices.Sort(names)
	return slices.Compact(names), nil
}

// logo reads the logo of a folder of templates, if it has one.
func logo(files fs.FS) ([]Image, error) {
	data, err := fs.ReadFile(files, logoFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	if len(data) > largestLogo {
		return nil, fmt.Errorf("%s has %d KiB: at most %d KiB are sent to everybody", logoFile, len(data)>>10, largestLogo>>10)
	}
	if _, err := png.DecodeConfig(bytes.NewReader(data)); err != nil {
		return nil, fmt.Errorf("%s is no PNG picture: %w", logoFile, err)
	}
	return []Image{{ID: imageLogo, Type: "image/png", Data: data}}, nil
}
