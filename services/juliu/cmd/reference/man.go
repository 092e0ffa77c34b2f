package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manPages adds a page of section 1 for cmd and for each command below it.
func manPages(pages map[string][]byte, cmd *cobra.Command) error {
	for _, child := range available(cmd) {
		if err := manPages(pages, child); err != nil {
			return err
		}
	}
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	var page bytes.Buffer
	if err := doc.GenMan(cmd, &doc.GenManHeader{Date: &time.Time{}, Source: "juliu", Manual: "Juliu"}, &page); err != nil {
		return fmt.Errorf("write the man page of %s: %w", name, err)
	}
	// Without a date: a page that nothing was changed in stays as it is.
	text := bytes.Replace(page.Bytes(), []byte(`"Jan 0001"`), []byte(`""`), 1)
	pages["man/"+name+".1"] = append(bytes.TrimRight(text, "\n"), '\n')
	return nil
}

// service is a service's own help as a command.
func service(name, help string) *cobra.Command {
	first, _, _ := strings.Cut(strings.TrimPrefix(help, name+" "), ".")
	return &cobra.Command{
		Use: name + " [healthcheck | --version | --help]", Short: strings.Join(strings.Fields(first), " "), Long: markdown(help),
		DisableAutoGenTag: true, DisableFlagsInUseLine: true, Run: func(*cobra.Command, []string) {},
	}
}
