package setting

import (
	"fmt"
	"reflect"
	"strings"
)

// Variable is one variable of an environment struct.
type Variable struct {
	// Name, Default and Description are the tags envconfig, default and desc of the field.
	Name, Default, Description string
}

// Variables lists the variables of a struct, or pointer to one, in the order of its fields, those of nested structs in their place.
// Fields without the tag envconfig are left out.
func Variables(env any) []Variable {
	var all []Variable
	walk(reflect.Indirect(reflect.ValueOf(env)), func(v Variable, _ reflect.Value) { all = append(all, v) })
	return all
}

// FillDefaults sets the string fields of the struct that are empty to their tag default. envconfig fills in a default only for a
// variable that does not exist, but an empty one means not set as well.
func FillDefaults[T any](env *T) {
	walk(reflect.ValueOf(env).Elem(), func(v Variable, field reflect.Value) {
		if field.Kind() == reflect.String && field.CanSet() && strings.TrimSpace(field.String()) == "" {
			field.SetString(v.Default)
		}
	})
}

// Table is a Markdown table of the variables of a struct: name, default, meaning. docs/configuration.md is checked against it.
func Table(env any) string {
	var text strings.Builder
	text.WriteString("| name | default | meaning |\n| --- | --- | --- |\n")
	for _, v := range Variables(env) {
		standard := ""
		if v.Default != "" {
			standard = "`" + v.Default + "`"
		}
		_, _ = fmt.Fprintf(&text, "| `%s` | %s | %s |\n", v.Name, standard, strings.ReplaceAll(v.Description, "|", `\|`))
	}
	return text.String()
}

// walk visits the fields that name a variable, depth first.
func walk(s reflect.Value, visit func(Variable, reflect.Value)) {
	if s.Kind() != reflect.Struct {
		return
	}
	for i := range s.NumField() {
		field := s.Type().Field(i)
		if name := field.Tag.Get("envconfig"); name != "" {
			visit(Variable{Name: strings.ToUpper(name), Default: field.Tag.Get("default"), Description: field.Tag.Get("desc")}, s.Field(i))
			continue
		}
		walk(reflect.Indirect(s.Field(i)), visit)
	}
}
