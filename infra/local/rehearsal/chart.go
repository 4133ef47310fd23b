package rehearsal

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-analyze/charts"

	"sallyport/shared/rollout"
)

// mark is a switch, drawn on the coverage line with its number.
type mark struct {
	number int
	day    rollout.Date
}

// The chart is drawn in colours that stand for something and then given to the
// page's style sheet, so that one picture is right in light, in dark and on
// paper.
var (
	paintPaper = charts.Color{R: 1, G: 2, B: 3, A: 255}
	paintInk   = charts.Color{R: 4, G: 5, B: 6, A: 255}
	paintGrid  = charts.Color{R: 7, G: 8, B: 9, A: 255}
	paintLine  = charts.Color{R: 10, G: 11, B: 12, A: 255}
	paintMark  = charts.Color{R: 13, G: 14, B: 15, A: 255}
)

var paints = strings.NewReplacer(
	"rgb(1,2,3)", "var(--card)", "rgb(4,5,6)", "var(--faint)", "rgb(7,8,9)", "var(--line)",
	"rgb(10,11,12)", "var(--accent)", "rgb(13,14,15)", "var(--mark)",
)

// coverageChart draws the coverage of each day as an SVG of the width in
// pixels. It is empty if there are not two days to draw a line between.
func coverageChart(points []rollout.CoveragePoint, marks []mark, width int) (template.HTML, error) {
	if len(points) < 2 {
		return "", nil
	}
	first := points[0].Day
	days := first.DaysUntil(points[len(points)-1].Day) + 1
	values, labels := make([]float64, max(days, 0)), make([]string, max(days, 0))
	for i := range values {
		values[i], labels[i] = charts.GetNullValue(), first.AddDays(i).At(12, 0, time.UTC).Format("2 Jan")
	}
	for _, p := range points {
		if i := first.DaysUntil(p.Day); i >= 0 && i < days {
			values[i] = p.Coverage.Percent()
		}
	}
	colours := []charts.Color{paintLine}
	series := charts.LineSeriesList{{Values: values, Name: "coverage", Symbol: charts.Symbol{Shape: charts.SymbolNone}}}
	for point := range slices.Chunk(markSeries(values, marks, first), 2) {
		series, colours = append(series, point...), append(colours, paintMark, paintPaper)
	}
	theme := charts.MakeTheme(charts.ThemeOption{
		AxisStrokeColor: paintGrid, AxisSplitLineColor: paintGrid, BackgroundColor: paintPaper, TextColor: paintInk, SeriesColors: colours,
	})
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: width, Height: 300, Theme: theme})
	text := charts.NewFontStyleWithSize(10.5)
	opt := charts.LineChartOption{
		Theme: theme, SeriesList: series, Padding: charts.NewBox(4, 24, 16, 8), LineStrokeWidth: 2.5,
		Legend: charts.LegendOption{Show: charts.Ptr(false)},
		XAxis:  charts.XAxisOption{Labels: labels, LabelCount: min(days, max(2, width/110)), BoundaryGap: charts.Ptr(false), LabelFontStyle: text},
		YAxis: []charts.YAxisOption{{
			Min: charts.Ptr(0.0), Max: charts.Ptr(100.0), LabelCount: 6, LabelFontStyle: text,
			ValueFormatter: func(v float64) string { return strconv.Itoa(int(v)) + " %" },
		}},
	}
	if err := painter.LineChart(opt); err != nil {
		return "", fmt.Errorf("draw the coverage: %w", err)
	}
	svg, err := painter.Bytes()
	if err != nil {
		return "", fmt.Errorf("draw the coverage: %w", err)
	}
	// The drawing holds dates and numbers alone; it is marked as decoration since
	// the page says the same in words and as a table.
	picture := strings.Replace(paints.Replace(string(svg)), "<svg ", `<svg aria-hidden="true" focusable="false" `, 1)
	return template.HTML(picture), nil
}

// markSeries are lines without a line, two for each day of a switch: a point,
// and below it the numbers of what was switched then.
func markSeries(values []float64, marks []mark, first rollout.Date) charts.LineSeriesList {
	numbers := map[int]string{}
	for _, m := range marks {
		if i := first.DaysUntil(m.day); i >= 0 && i < len(values) {
			if numbers[i] != "" {
				numbers[i] += ", "
			}
			numbers[i] += strconv.Itoa(m.number)
		}
	}
	var list charts.LineSeriesList
	for _, i := range sortedKeys(numbers) {
		if values[i] == charts.GetNullValue() {
			continue
		}
		alone := func(v float64) []float64 {
			at := slices.Repeat([]float64{charts.GetNullValue()}, len(values))
			at[i] = v
			return at
		}
		style := charts.NewFontStyleWithSize(11)
		style.FontColor = paintMark
		// The library writes a label beside its point, onto the line: so the number
		// belongs to a point of its own below the line, painted like the paper.
		list = append(list, charts.LineSeries{
			Values: alone(values[i]), Symbol: charts.Symbol{Shape: charts.SymbolDot, Size: 5},
		}, charts.LineSeries{
			Values: alone(max(3, values[i]-9)), Symbol: charts.Symbol{Shape: charts.SymbolNone},
			Label: charts.SeriesLabel{
				Show: charts.Ptr(true), FontStyle: style, Distance: -4,
				LabelFormatter: func(int, string, float64) (string, *charts.LabelStyle) { return numbers[i], nil },
			},
		})
	}
	return list
}

// weekly keeps the first point, the last, and each seventh between them: the
// chart's table.
func weekly(points []rollout.CoveragePoint) []rollout.CoveragePoint {
	return slices.DeleteFunc(slices.Clone(points), func(p rollout.CoveragePoint) bool {
		return points[0].Day.DaysUntil(p.Day)%7 != 0 && p.Day != points[len(points)-1].Day
	})
}
