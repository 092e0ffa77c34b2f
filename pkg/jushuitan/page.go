package jushuitan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Page is one answer of an [Endpoint].
type Page struct {
	// Index and Size are page_index and page_size as answered; 0 when absent.
	Index, Size int
	// DataCount and PageCount are the totals; nil when the API did not say, as with is_get_total=false.
	DataCount, PageCount *int
	// HasNext is has_next; nil when the API did not say. It is known to be wrong at times: compare it with the other members.
	HasNext *bool
	// Rows are the bytes of each element of datas exactly as received; they need not be valid JSON nor even objects. A row does not
	// share memory with the others.
	Rows [][]byte
	// ServerTime is the answer's HTTP Date, whole seconds; zero when absent.
	ServerTime time.Time
}

// readPage splits the rows. datas stands inside data on the openapi gateway and beside code on the partner gateway; either place is
// taken. A datas that is absent or null has no rows; one that is neither that nor an array is an error.
func readPage(r reply) (Page, error) {
	members := r.data
	if _, ok := members["datas"]; !ok {
		if _, ok := r.members["datas"]; ok {
			members = r.members
		}
	}
	page := Page{
		DataCount:  count(members["data_count"]),
		PageCount:  count(members["page_count"]),
		HasNext:    flag(members["has_next"]),
		ServerTime: r.date,
	}
	if n := count(members["page_index"]); n != nil {
		page.Index = *n
	}
	if n := count(members["page_size"]); n != nil {
		page.Size = *n
	}
	datas := members["datas"]
	if len(datas) == 0 || string(datas) == "null" {
		return page, nil
	}
	rows, err := elements(datas)
	if err != nil {
		return Page{}, r.refuse(NotJSON, "datas is not a list of rows")
	}
	page.Rows = make([][]byte, 0, len(rows))
	for _, row := range rows {
		page.Rows = append(page.Rows, slices.Clone(row))
	}
	return page, nil
}

// count reads a number that may be a string; nil for anything else and for a negative one.
func count(raw []byte) *int {
	n, err := strconv.Atoi(strings.TrimSpace(scalar(raw)))
	if err != nil || n < 0 {
		return nil
	}
	return &n
}

// flag reads true, false, 1, 0 and the same as strings in any case; nil for anything else.
func flag(raw []byte) *bool {
	value, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(scalar(raw))))
	if err != nil {
		return nil
	}
	return &value
}

// seconds reads a number with or without a fraction; anything else is 0, and more than a century is a century.
func seconds(text string) time.Duration {
	const century = 100 * 365 * 24 * 60 * 60
	whole, _, _ := strings.Cut(strings.TrimSpace(text), ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(min(max(n, 0), century)) * time.Second
}

// String names a page without its rows, which hold personal data.
func (p Page) String() string { return fmt.Sprintf("page %d with %d rows", p.Index, len(p.Rows)) }
