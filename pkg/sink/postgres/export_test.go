package postgres

import "juliu/pkg/record"

// Table is one table's rows as the driver takes them.
type Table struct {
	Name    string
	Columns []string
	Rows    [][]any
}

// Tables are the rows that Write makes of the records.
func Tables(batch []record.Record) ([]Table, error) {
	t := salesOut()
	orders := Table{Name: t.name, Columns: t.header}
	children := make([]Table, len(t.children))
	for i, c := range t.children {
		children[i] = Table{Name: c.name, Columns: c.header}
	}
	for i, r := range batch {
		encoded, err := t.encode(i, r)
		if err != nil {
			return nil, err
		}
		orders.Rows = append(orders.Rows, encoded.values)
		for i, rows := range encoded.lists {
			children[i].Rows = append(children[i].Rows, rows...)
		}
	}
	return append([]Table{orders}, children...), nil
}
