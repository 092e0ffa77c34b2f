package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"juliu/services/extractor"
	"juliu/services/loader"
)

// write writes all pages below a folder.
func write(root *cobra.Command, folder string) error {
	prepare(root)
	pages := map[string][]byte{}
	if err := markdownPages(pages, root); err != nil {
		return err
	}
	for _, top := range []*cobra.Command{root, service("extractor", extractor.Help), service("loader", loader.Help)} {
		if err := manPages(pages, top); err != nil {
			return err
		}
	}
	for _, part := range []string{"commands", "man"} {
		if err := os.MkdirAll(filepath.Join(folder, part), 0o755); err != nil { //nolint:gosec // documents are for all
			return fmt.Errorf("create the pages' folder: %w", err)
		}
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil { //nolint:gosec // documents are for all
			return fmt.Errorf("write a page: %w", err)
		}
	}
	return nil
}

// prepare makes help texts, which are laid out for a terminal, into Markdown.
func prepare(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true // it holds the day
	cmd.Long = markdown(cmd.Long)
	if cmd.HasParent() { // said once, on the first page
		cmd.InitDefaultHelpFlag()
		cmd.Flag("help").Hidden = true
	}
	if cmd.HasSubCommands() {
		cmd.Use += " COMMAND"
	}
	for _, child := range cmd.Commands() {
		prepare(child)
	}
}
