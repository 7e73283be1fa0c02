package chart

import (
	"image/color"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The palette of Okabe and Ito, which people with any colour vision can tell apart.
// Its yellow is too pale for lines on white; a grey stands in.
var (
	blue       = color.NRGBA{R: 0x00, G: 0x72, B: 0xB2, A: 0xFF}
	vermillion = color.NRGBA{R: 0xD5, G: 0x5E, B: 0x00, A: 0xFF}
	green      = color.NRGBA{R: 0x00, G: 0x9E, B: 0x73, A: 0xFF}
	orange     = color.NRGBA{R: 0xE6, G: 0x9F, B: 0x00, A: 0xFF}
	purple     = color.NRGBA{R: 0xCC, G: 0x79, B: 0xA7, A: 0xFF}
	sky        = color.NRGBA{R: 0x56, G: 0xB4, B: 0xE9, A: 0xFF}
	black      = color.NRGBA{R: 0x1A, G: 0x1A, B: 0x1A, A: 0xFF}

	grey  = color.NRGBA{R: 0x99, G: 0x99, B: 0x99, A: 0xFF}
	ink   = black
	muted = color.NRGBA{R: 0x5A, G: 0x5A, B: 0x5A, A: 0xFF}
	faint = color.NRGBA{R: 0xE3, G: 0xE3, B: 0xE3, A: 0xFF}
)

// A place has the same colour in every chart.
var (
	doorColor    = orange
	bufferColor  = blue
	starvedColor = vermillion
)

var palette = []color.NRGBA{blue, vermillion, green, purple, orange, sky, black, muted}

// dashes tell the curves apart a second time, in points.
var dashes = [][]vg.Length{nil, {7, 2.5}, {2.5, 2}, {8, 2, 2, 2}, {4, 2}, {1.2, 1.6}, {10, 3}, {6, 2, 2, 2, 2, 2}}

// MaxRuns is the number of runs or streams that one chart can tell apart.
const MaxRuns = 8

// line returns the style of the i-th curve of a chart.
func line(i int) draw.LineStyle {
	return draw.LineStyle{Color: palette[i%len(palette)], Width: 1.5, Dashes: dashes[i%len(dashes)]}
}

// tint returns the colour that c has on white with the given opacity. It is opaque:
// PDF would not show it otherwise.
func tint(c color.NRGBA, alpha float64) color.NRGBA {
	mix := func(v uint8) uint8 { return uint8(255 - alpha*float64(255-v) + 0.5) }
	return color.NRGBA{R: mix(c.R), G: mix(c.G), B: mix(c.B), A: 255}
}

// lettering returns the style of text of a size in points.
func lettering(size vg.Length, c color.Color) text.Style {
	return text.Style{
		Color:   c,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		Handler: plot.DefaultTextHandler,
	}
}

func bold(s text.Style) text.Style {
	s.Font.Weight = xfont.WeightBold
	return s
}

func aligned(s text.Style, x text.XAlignment, y text.YAlignment) text.Style {
	s.XAlign, s.YAlign = x, y
	return s
}
