package juliu

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"juliu/pkg/jushuitan"
	"juliu/pkg/process"
)

const doctorHelp = `doctor looks at everything that Juliu needs and says what is wrong, why it matters, and the command or setting that cures it. It changes
nothing and takes less than ten seconds. It reads the environment as the services do: run it with the extractor's and the loader's settings to
have the ERP, the token and the sink checked too. The ERP is called (once or twice) only while no extractor holds the lease of the source.

Levels: ok, warn (works, but look at it), fail (broken), skip (not looked at, and why). Words are Chinese where LC_ALL or LANG begins with zh.

It finds a running 'juliu up' by its data folder (--data), else it connects by NATS_URL. With --output json it prints one object: at, result (ok,
warn or fail), fails, warns, findings[] (check, level, what, why, cure); check is a stable name. Exit codes: 0 nothing fails, 1 something does,
2 bad usage.`

// doctorFlags are the flags of doctor.
type doctorFlags struct{ data, output string }

func (a App) doctor() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Find what is wrong and say what cures it",
		Long:    doctorHelp,
		Example: "  juliu doctor\n  LANG=zh_CN.UTF-8 juliu doctor\n  juliu doctor --output json | jq '.findings[] | select(.level == \"fail\")'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.output != "table" && f.output != "json" {
				return usageError{"--output takes table or json"}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return a.doctorNow(ctx, f)
		},
	}
	deskFlags(cmd.Flags(), &f.data, &f.output)
	return cmd
}

func (a App) doctorNow(ctx context.Context, f doctorFlags) error {
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	facts := checkup{app: a, data: f.data, cfg: cfg}.look(ctx)
	language := "en"
	if readsChinese() {
		language = "zh"
	}
	v := verdictOf(facts.now, diagnose(facts), readTexts(doctorTexts), language)
	if f.output == "json" {
		err = json.NewEncoder(a.Out).Encode(v)
	} else {
		_, err = fmt.Fprint(a.Out, v.table(painterFor(a.Out), language))
	}
	if err != nil {
		return fmt.Errorf("print the findings: %w", err)
	}
	if v.Fails > 0 {
		return unhealthyError(v.Fails)
	}
	return nil
}

// unhealthyError is how many findings fail.
type unhealthyError int

func (e unhealthyError) Error() string {
	if e == 1 {
		return "1 check fails; its cure stands beside it"
	}
	return fmt.Sprintf("%d checks fail; their cures stand beside them", int(e))
}

// ExitCode is 1, failed.
func (unhealthyError) ExitCode() int { return process.ExitFailed }

// verdictLine is what doctor prints with --output json.
type verdictLine struct {
	At       time.Time     `json:"at"`
	Result   level         `json:"result"`
	Fails    int           `json:"fails"`
	Warns    int           `json:"warns"`
	Findings []findingLine `json:"findings"`
}

// findingLine is one finding; Why and Cure are left out where all is fine.
type findingLine struct {
	Check string `json:"check"`
	Level level  `json:"level"`
	What  string `json:"what"`
	Why   string `json:"why,omitempty"`
	Cure  string `json:"cure,omitempty"`
}

// verdictOf puts findings into words, in the order of the areas.
func verdictOf(now time.Time, found []finding, book phrasebook, language string) verdictLine {
	v := verdictLine{At: now, Result: levelOK, Findings: []findingLine{}}
	for _, f := range found {
		w := book.say(f, language)
		v.Findings = append(v.Findings, findingLine{Check: f.code, Level: f.level, What: w.What, Why: w.Why, Cure: w.Cure})
		switch f.level {
		case levelFail:
			v.Fails++
		case levelWarn:
			v.Warns++
		case levelOK, levelSkip:
		}
	}
	switch {
	case v.Fails > 0:
		v.Result = levelFail
	case v.Warns > 0:
		v.Result = levelWarn
	}
	return v
}

// table is the verdict for people: a line for what is fine, three for what is not.
func (v verdictLine) table(p painter, language string) string {
	colours := map[level]colour{levelOK: green, levelWarn: yellow, levelFail: red, levelSkip: grey}
	why, cure, sum := "why: ", "cure: ", "%d fail, %d warn\n"
	if language == "zh" {
		why, cure, sum = "影响：", "处理：", "%d 项失败，%d 项警告\n"
	}
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "%s  %s +08:00\n\n", p.paint(bold, "juliu doctor"), jushuitan.At(v.At))
	for _, f := range v.Findings {
		_, _ = fmt.Fprintf(&text, "%s  %s\n", p.paint(colours[f.Level], fmt.Sprintf("%-4s", f.Level)), f.What)
		if f.Cure != "" {
			_, _ = fmt.Fprintf(&text, "      %s%s\n      %s%s\n", why, f.Why, cure, f.Cure)
		}
	}
	_, _ = fmt.Fprintf(&text, "\n"+sum, v.Fails, v.Warns)
	return text.String()
}
