package juliu

import "time"

// WithPatience shortens how long backfill waits for an extractor.
func (a App) WithPatience(d time.Duration) App {
	a.patience = d
	return a
}

// Spell is how durations are told.
var Spell = spell

// Terminal is the file behind a terminal.
var Terminal = terminal
