package setting

import (
	"slices"
	"strings"
)

// Unknown adds a problem for every variable of environ (as os.Environ gives it) whose name begins with prefix, in any case, and that
// no field of the spec names: a misspelt setting would silently not count. The nearest known name is suggested. Empty ones are not
// set and do not matter.
func (p *Parser) Unknown(environ []string, prefix string, spec any) {
	var known []string
	for _, v := range Variables(spec) {
		known = append(known, v.Name)
	}
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" || !strings.HasPrefix(strings.ToUpper(name), prefix) || slices.Contains(known, name) || serviceLink(name) {
			continue
		}
		remedy := "unset it; docs/configuration.md lists all settings"
		if near := nearest(name, known); near != "" {
			remedy = "did you mean " + near + "?"
		}
		p.Problem(name, "is not a setting", remedy)
	}
}

// serviceLink tells the variables that Kubernetes sets in every pod for a Service, e.g. one that is named extractor.
func serviceLink(name string) bool {
	return strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") || strings.HasSuffix(name, "_PORT") ||
		strings.Contains(name, "_PORT_")
}

// nearest is the known name that the fewest edits make of name, or "" when that is more than a third of it.
func nearest(name string, known []string) string {
	best, fewest := "", len(name)/3+1
	for _, candidate := range known {
		if d := distance(strings.ToUpper(name), candidate); d < fewest {
			best, fewest = candidate, d
		}
	}
	return best
}

// distance is how many insertions, deletions and substitutions of bytes turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
