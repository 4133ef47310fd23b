package mail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	qr "github.com/piglig/go-qr"
)

// Image is a picture inside a message: nothing is fetched when it is opened.
type Image struct {
	ID   string // how the HTML names it: cid:<ID>
	Type string // image/png
	Data []byte
}

// The ids of the pictures that a template may show.
const (
	imageAppStore   = "app-store"
	imageGooglePlay = "google-play"
	imageLogo       = "logo"
)

// Where Microsoft Authenticator is.
// Source: https://learn.microsoft.com/entra/identity/authentication/concept-authentication-authenticator-app
const (
	appStoreLink   = "https://apps.apple.com/app/microsoft-authenticator/id983156458"
	googlePlayLink = "https://play.google.com/store/apps/details?id=com.azure.authenticator"
)

// codes are the QR codes of the two links.
func codes() ([]Image, error) {
	var all []Image
	for _, link := range []struct{ id, target string }{{imageAppStore, appStoreLink}, {imageGooglePlay, googlePlayLink}} {
		data, err := code(link.target)
		if err != nil {
			return nil, fmt.Errorf("QR code of %s: %w", link.target, err)
		}
		all = append(all, Image{ID: link.id, Type: "image/png", Data: data})
	}
	return all, nil
}

// How a QR code is drawn: pixels to a module, and the quiet margin in modules
// that the standard asks for, white in dark mode too.
const (
	codeScale  = 4
	codeMargin = 4
)

func code(target string) ([]byte, error) {
	c, err := qr.EncodeText(target, qr.Medium)
	if err != nil {
		return nil, err
	}
	side := (c.Size() + 2*codeMargin) * codeScale
	picture := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		for x := range side {
			if c.Module(x/codeScale-codeMargin, y/codeScale-codeMargin) {
				picture.SetColorIndex(x, y, 1)
			}
		}
	}
	var data bytes.Buffer
	if err := png.Encode(&data, picture); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// shown are those of the images that a page shows, in the order of their ids.
func shown(page string, images []Image) []Image {
	var all []Image
	for _, i := range images {
		if strings.Contains(page, `src="cid:`+i.ID+`"`) {
			all = append(all, i)
		}
	}
	return all
}

// Page is the HTML with its pictures written into it: a browser that opens it
// alone shows it as a mail program does.
func (c Content) Page() string {
	page := c.HTML
	for _, i := range c.Images {
		page = inlined(page, i.ID, i.Type, base64.StdEncoding.EncodeToString(i.Data))
	}
	return page
}

// inlined replaces a picture's Content-ID by its data.
func inlined(page, id, mediaType, data string) string {
	return strings.ReplaceAll(page, `src="cid:`+id+`"`, `src="data:`+mediaType+";base64,"+data+`"`)
}
