package mail

import (
	"regexp"

	"sallyport/shared/rollout"
)

// style is an element and how it looks in light mode. The looks stand inline in
// every element, since Outlook for Windows and Gmail drop or cut style sheets;
// the style sheet in layout.html only adds dark mode and small screens.
type style struct {
	tag, attributes, css string
}

func (s style) open() string {
	return `<` + s.tag + s.attributes + ` style="` + s.css + `">`
}

func (s style) wrap(inner string) string {
	return s.open() + inner + `</` + s.tag + `>`
}

// font is repeated on every block: Outlook's Word engine gives headings and
// lists its own serif otherwise.
const (
	font  = "font-family:'Segoe UI',Helvetica,Arial,sans-serif;"
	ink   = "color:#1f2328;"
	faint = "color:#57606a;"
)

// styles are the elements that markup knows, by name. Every colour on white has
// a contrast of 5.9 or more.
var styles = map[string]style{
	"h1":       {"h1", "", font + ink + "font-size:24px;line-height:30px;font-weight:600;margin:0 0 18px"},
	"h2":       {"h2", "", font + ink + "font-size:18px;line-height:24px;font-weight:600;margin:26px 0 10px"},
	"h3":       {"h3", "", font + ink + "font-size:16px;line-height:22px;font-weight:600;margin:20px 0 6px"},
	"p":        {"p", "", font + ink + "font-size:16px;line-height:24px;margin:0 0 14px"},
	"small":    {"p", ` class="faint"`, font + faint + "font-size:14px;line-height:20px;margin:0 0 8px"},
	"ol":       {"ol", "", font + ink + "font-size:16px;line-height:24px;margin:0 0 14px;padding:0 0 0 26px"},
	"ul":       {"ul", "", font + ink + "font-size:16px;line-height:24px;margin:0 0 14px;padding:0 0 0 26px"},
	"li":       {"li", "", "margin:0 0 8px"},
	"table":    {"table", ` cellpadding="0" cellspacing="0" border="0"`, "width:100%;border-collapse:collapse;margin:0 0 18px"},
	"th":       {"th", ` scope="row" align="left" valign="top" class="faint"`, font + faint + "font-size:15px;line-height:22px;font-weight:400;text-align:left;padding:5px 14px 5px 0;width:34%"},
	"td":       {"td", ` valign="top"`, font + ink + "font-size:15px;line-height:22px;padding:5px 0;word-break:break-word"},
	"hr":       {"hr", "", "border:0;border-top:1px solid #d0d7de;margin:26px 0 16px"},
	"a":        {"a", "", "color:#0b57a4;text-decoration:underline"},
	"pictures": {"table", ` role="presentation" cellpadding="0" cellspacing="0" border="0"`, "margin:0 0 14px"},
	"picture":  {"td", ` align="left" valign="top" class="faint"`, font + faint + "font-size:14px;line-height:20px;padding:0 14px 0 0"},
	"strong":   {"strong", "", "font-weight:600"},
}

// hexColour is a colour that a style may hold.
var hexColour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// accent is the brand's colour, or that of the message.
func (b Brand) accent(kind rollout.MessageKind) string {
	if hexColour.MatchString(b.Colour) {
		return b.Colour
	}
	return accent(kind)
}

// accent is the colour of the bar above a message: how urgent it is, for those
// who see it; the words say it to everybody.
func accent(kind rollout.MessageKind) string {
	switch kind {
	case rollout.MessageAlert:
		return "#b3261e"
	case rollout.MessageHold, rollout.MessageTask, rollout.MessageRollback, rollout.MessageLockOut, rollout.MessageHoldout, rollout.MessageToday, rollout.MessageTeam, rollout.MessageHoldouts:
		return "#b45309"
	case rollout.MessageSwitched, rollout.MessageClosing, rollout.MessageDone:
		return "#1a7f37"
	}
	return "#0b57a4"
}
