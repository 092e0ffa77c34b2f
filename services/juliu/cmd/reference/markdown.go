package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

const generated = "<!-- Generated from the commands by `make generate`. Do not edit. -->\n\n"

// markdownPages adds a page for root, which is the list, and one for each of its commands with all of that command's own.
func markdownPages(pages map[string][]byte, root *cobra.Command) error {
	for _, cmd := range append(available(root), root) {
		var page bytes.Buffer
		page.WriteString(generated)
		parts := []*cobra.Command{cmd}
		if cmd != root {
			parts = append(parts, available(cmd)...)
		}
		for _, part := range parts {
			if err := doc.GenMarkdownCustom(part, &page, link); err != nil {
				return fmt.Errorf("write about %s: %w", part.CommandPath(), err)
			}
		}
		text := bytes.Replace(page.Bytes(), []byte("## "), []byte("# "), 1)
		if cmd == root {
			text = bytes.Replace(text, []byte("### SEE ALSO"), []byte("### Commands"), 1)
		}
		text = bytes.ReplaceAll(text, []byte("### SEE ALSO"), []byte("### See also"))
		text = bytes.ReplaceAll(text, []byte(")\t - "), []byte("): "))
		pages["commands/"+file(cmd)] = append(bytes.TrimRight(text, "\n"), '\n')
	}
	return nil
}

// available are the commands below cmd that a reader may use.
func available(cmd *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(cmd.Commands()), func(c *cobra.Command) bool { return !c.IsAvailableCommand() })
}

// file is the page of the root or of a command below it.
func file(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return "README.md"
	}
	return cmd.Name() + ".md"
}

// link turns cobra's name of a page, e.g. juliu_jobs_list.md, into where it stands here.
func link(page string) string {
	words := strings.Split(strings.TrimSuffix(page, ".md"), "_")
	switch len(words) {
	case 1:
		return "README.md"
	case 2:
		return words[1] + ".md"
	default:
		return words[1] + ".md#" + strings.Join(words, "-")
	}
}

var (
	indented = regexp.MustCompile(`(?m)(?:^  .*\n?)+`)
	quoted   = regexp.MustCompile(`(^|[\s(])'([^'\n]+)'`)
)

// markdown turns indented lines into a block, words in quotes into code, and keeps brackets from becoming links.
func markdown(help string) string {
	var text strings.Builder
	rest := help
	for _, block := range indented.FindAllString(help, -1) {
		before, after, _ := strings.Cut(rest, block)
		fmt.Fprintf(&text, "%s\n\n```\n%s\n```\n\n", prose(before), strings.TrimSuffix(block, "\n"))
		rest = after
	}
	text.WriteString(prose(rest))
	return strings.TrimSpace(text.String())
}

func prose(text string) string {
	return strings.NewReplacer("[", `\[`, "]", `\]`).Replace(quoted.ReplaceAllString(strings.Trim(text, "\n"), "$1`$2`"))
}
