package chart

import (
	"strings"

	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgpdf"
)

// pdfCanvas makes up for two habits of vgpdf: it embeds all fonts under one file
// name, so that a second one is shown with the outlines of the first, and it writes
// text as it gets it although its fonts are encoded in Windows-1252. It knows no
// transparency either: the charts do without.
type pdfCanvas struct{ *vgpdf.Canvas }

// FillString implements vg.Canvas. Bold text is drawn as outlines.
func (c pdfCanvas) FillString(f font.Face, at vg.Point, words string) {
	if f.Font.Weight == xfont.WeightBold {
		if outline, err := outlines(f, at, words); err == nil {
			c.Fill(outline)
			return
		}
	}
	// Windows-1252 has no minus sign, and an en dash is as wide.
	words = strings.ReplaceAll(words, "−", "–")
	encoder := encoding.ReplaceUnsupported(charmap.Windows1252.NewEncoder())
	if encoded, err := encoder.String(words); err == nil {
		words = encoded
	}
	c.Canvas.FillString(f, at, words)
}

// outlines returns the outlines of words that begin at a point on their base line.
func outlines(f font.Face, at vg.Point, words string) (vg.Path, error) {
	var path vg.Path
	var buf sfnt.Buffer
	for i, r := range words {
		glyph, err := f.Face.GlyphIndex(&buf, r)
		if err != nil {
			return nil, err
		}
		segments, err := f.Face.LoadGlyph(&buf, glyph, fixed.Int26_6(f.Font.Size*64), nil)
		if err != nil {
			return nil, err
		}
		origin := at.Add(vg.Point{X: f.Width(words[:i])})
		// The font's y axis points down.
		point := func(p fixed.Point26_6) vg.Point {
			return vg.Point{X: origin.X + vg.Length(p.X)/64, Y: origin.Y - vg.Length(p.Y)/64}
		}
		for _, s := range segments {
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				path.Move(point(s.Args[0]))
			case sfnt.SegmentOpLineTo:
				path.Line(point(s.Args[0]))
			case sfnt.SegmentOpQuadTo:
				path.QuadTo(point(s.Args[0]), point(s.Args[1]))
			case sfnt.SegmentOpCubeTo:
				path.CubeTo(point(s.Args[0]), point(s.Args[1]), point(s.Args[2]))
			}
		}
	}
	path.Close()
	return path, nil
}
