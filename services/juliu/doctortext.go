package juliu

import (
	_ "embed"
	"strings"
)

// doctorTexts are the words of every finding.
//
//go:embed doctor.txt
var doctorTexts string

// wording is what a finding says in one language; fine ones have no Why and no Cure.
type wording struct {
	What, Why, Cure string
	// Up is the cure where a juliu up runs, if that is another.
	Up string
}

// phrasebook has the words of each code, by language.
type phrasebook map[string]map[string]wording

// readTexts reads sections [code] of lines "language.part = text".
func readTexts(text string) phrasebook {
	book := phrasebook{}
	code := ""
	for line := range strings.SplitSeq(text, "\n") {
		key, value, ok := strings.Cut(line, " = ")
		language, part, _ := strings.Cut(key, ".")
		switch {
		case strings.HasPrefix(line, "["):
			code = strings.Trim(line, "[]")
			book[code] = map[string]wording{}
		case ok && !strings.HasPrefix(line, "#"):
			w := book[code][language]
			switch part {
			case "what":
				w.What = value
			case "why":
				w.Why = value
			case "cure":
				w.Cure = value
			case "up":
				w.Up = value
			}
			book[code][language] = w
		}
	}
	return book
}

// say fills a finding's values into its words.
func (b phrasebook) say(f finding, language string) wording {
	var pairs []string
	for name, value := range f.values {
		pairs = append(pairs, "{"+name+"}", flat(value))
	}
	fill := strings.NewReplacer(pairs...)
	w := b[f.code][language]
	if f.up && w.Up != "" {
		w.Cure = w.Up
	}
	return wording{What: fill.Replace(w.What), Why: fill.Replace(w.Why), Cure: fill.Replace(w.Cure)}
}

// flat is a text without line breaks and runs of blanks.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }
