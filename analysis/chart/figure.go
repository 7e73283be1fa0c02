package chart

import (
	"bytes"
	"cmp"
	"fmt"
	"image/color"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/blockreel/blockreel/internal/outfile"
)

const (
	// width and height of a figure in points: 800 × 450 pixels at 96 dpi.
	width, height vg.Length = 600, 337.5
	// tall is the height of a figure with two panels.
	tall vg.Length = 412.5
	// pngDPI gives twice the logical resolution: 1600 × 900 pixels.
	pngDPI = 192

	margin   vg.Length = 14
	panelGap vg.Length = 10
)

// A Figure is a chart that can be written in several formats.
type Figure struct {
	// Title says what is seen, Subtitle under which settings.
	Title, Subtitle string

	height vg.Length
	legend []entry
	panels []panel
}

// A panel is a plot and its share of the height.
type panel struct {
	*plot.Plot
	weight vg.Length
	// caption stands above the panel; empty for none.
	caption string
	// left and right are kept free beside the plot for what it writes there.
	left, right vg.Length
}

// An entry explains a curve (style has a width), points (dot is set) or an area (fill is
// set, or it has a hatch).
type entry struct {
	name      string
	style     draw.LineStyle
	fill, dot color.Color
	hatch     hatching // 0: none
}

// Formats are the file extensions that Save knows.
var Formats = []string{".png", ".svg", ".pdf"}

// Save writes the figure to a file in the format of its extension: .png, .svg or
// .pdf. After an error there is no file, or still the one that was there before.
func (f *Figure) Save(path string) error {
	var b bytes.Buffer
	if err := f.Write(&b, filepath.Ext(path)); err != nil {
		return fmt.Errorf("chart %s: %w", path, err)
	}
	return outfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(b.Bytes())
		return err
	})
}

// Write writes the figure to w in the format of a file extension: .png, .svg or .pdf.
func (f *Figure) Write(w io.Writer, extension string) error {
	var c interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch strings.ToLower(extension) {
	case ".png":
		c = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, f.height), vgimg.UseDPI(pngDPI))}
	case ".svg":
		c = vgsvg.New(width, f.height)
	case ".pdf":
		c = pdfCanvas{vgpdf.New(width, f.height)}
	default:
		return fmt.Errorf("no format for the extension %q: use %s", extension, strings.Join(Formats, ", "))
	}
	f.draw(draw.New(c))
	if _, svg := c.(*vgsvg.Canvas); !svg {
		_, err := c.WriteTo(w)
		return err
	}
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return err
	}
	// Text is drawn by whoever looks at the SVG, who may not have the font.
	_, err := w.Write(bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")))
	return err
}

// draw lays the page out from top to bottom: title, subtitle, legend, panels.
func (f *Figure) draw(c draw.Canvas) {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin, margin, -margin)

	c.Max.Y -= paragraph(c, bold(lettering(14, ink)), f.Title)
	c.Max.Y -= 3
	c.Max.Y -= paragraph(c, lettering(9, muted), f.Subtitle)
	if len(f.legend) > 0 {
		c.Max.Y -= 6
		c.Max.Y -= drawLegend(c, f.legend)
	}
	c.Max.Y -= 9

	var weights vg.Length
	for _, p := range f.panels {
		weights += p.weight
	}
	free := c.Max.Y - c.Min.Y - panelGap*vg.Length(len(f.panels)-1)
	areas := make([]draw.Canvas, len(f.panels))
	top := c.Max.Y
	for i, p := range f.panels {
		h := free * p.weight / weights
		areas[i] = c
		areas[i].Max.Y, areas[i].Min.Y = top, top-h
		if p.caption != "" {
			areas[i].Max.Y -= paragraph(areas[i], lettering(9, ink), p.caption) + 3
		}
		areas[i] = draw.Crop(areas[i], p.left, -p.right, 0, 0)
		top -= h + panelGap
	}
	for i, area := range alignPanels(f.panels, areas) {
		f.panels[i].Draw(area)
	}
}

// alignPanels crops the areas such that the data of all panels begin and end at
// the same x.
func alignPanels(panels []panel, areas []draw.Canvas) []draw.Canvas {
	left, right := make([]vg.Length, len(panels)), make([]vg.Length, len(panels))
	var most, least vg.Length
	for i, p := range panels {
		data := p.DataCanvas(areas[i])
		left[i], right[i] = data.Min.X, data.Max.X
		if i == 0 {
			most, least = left[i], right[i]
		}
		most, least = max(most, left[i]), min(least, right[i])
	}
	for i := range areas {
		areas[i] = draw.Crop(areas[i], most-left[i], least-right[i], 0, 0)
	}
	return areas
}

// paragraph draws text at the top of c, broken into lines that fit, and returns
// the height that it took.
func paragraph(c draw.Canvas, s text.Style, txt string) vg.Length {
	if txt == "" {
		return 0
	}
	s = aligned(s, text.XLeft, text.YTop)
	leading := s.Font.Size * 1.25
	limit := c.Max.X - c.Min.X
	lines := breakLines(s, txt, limit)
	// No word stands alone in a last line: all are about as long.
	for n := len(lines); n > 1 && limit > 0; {
		limit -= 6
		narrower := breakLines(s, txt, limit)
		if len(narrower) > n || s.Width(widest(s, narrower)) > limit {
			break
		}
		lines = narrower
	}
	for i, l := range lines {
		c.FillText(s, vg.Point{X: c.Min.X, Y: c.Max.Y - leading*vg.Length(i)}, l)
	}
	return leading * vg.Length(len(lines))
}

func widest(s text.Style, lines []string) string {
	return slices.MaxFunc(lines, func(a, b string) int { return cmp.Compare(s.Width(a), s.Width(b)) })
}

// breakLines breaks txt between words such that no line is wider than limit, unless
// it is a single word.
func breakLines(s text.Style, txt string, limit vg.Length) []string {
	var lines []string
	for _, word := range unbroken(txt) {
		if n := len(lines); n > 0 && s.Width(lines[n-1]+" "+word) <= limit {
			lines[n-1] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}

// unbroken returns the words of txt; a number and its unit are one, and so is N = 20.
func unbroken(txt string) []string {
	var words []string
	glue := false
	for _, w := range strings.Fields(txt) {
		n := len(words)
		unit := n > 0 && !strings.Contains(words[n-1], " ") && strings.ContainsAny(words[n-1][:1], "0123456789") && utf8.RuneCountInString(strings.TrimRight(w, ":;,.")) <= 2
		if n > 0 && (glue || w == "=" || unit) {
			words[n-1] += " " + w
		} else {
			words = append(words, w)
		}
		glue = w == "="
	}
	return words
}

// drawLegend draws the entries in rows at the top of c and returns their height.
func drawLegend(c draw.Canvas, entries []entry) vg.Length {
	const swatch, space, gap, row = 20, 5, 16, 13
	s := aligned(lettering(9, ink), text.XLeft, text.YCenter)
	x, y := c.Min.X, c.Max.Y-row/2
	for _, e := range entries {
		w := swatch + space + s.Width(e.name)
		if x > c.Min.X && x+w > c.Max.X {
			x, y = c.Min.X, y-row
		}
		if e.fill != nil {
			c.FillPolygon(e.fill, []vg.Point{{X: x, Y: y - 4}, {X: x + swatch, Y: y - 4}, {X: x + swatch, Y: y + 4}, {X: x, Y: y + 4}})
		}
		if e.hatch != 0 {
			box := vg.Rectangle{Min: vg.Point{X: x, Y: y - 4}, Max: vg.Point{X: x + swatch, Y: y + 4}}
			c.SetColor(blindGround)
			c.Fill(box.Path())
			e.hatch.lines(c, box)
		}
		if e.dot != nil {
			dot(c, vg.Point{X: x + swatch/2, Y: y}, e.dot)
		}
		if e.style.Width > 0 {
			c.StrokeLine2(e.style, x, y, x+swatch, y)
		}
		c.FillText(s, vg.Point{X: x + swatch + space, Y: y}, e.name)
		x += w + gap
	}
	return c.Max.Y - y + row/2
}

// newPlot returns an empty plot with the axes' titles, in the style of all charts.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.Width, a.Padding = muted, 0.6, 0
		a.Label.TextStyle.Font = lettering(9, muted).Font
		a.Label.TextStyle.Color = muted
		a.Label.Padding = 3
		a.Tick.Label.Font = lettering(9, muted).Font
		a.Tick.Label.Color = muted
		a.Tick.Color, a.Tick.Width, a.Tick.Length = muted, 0.6, 3
	}
	p.Y.Width, p.Y.Tick.Length = 0, 0
	p.Y.Tick.Width = 0
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Add(grid{})
	return p
}
