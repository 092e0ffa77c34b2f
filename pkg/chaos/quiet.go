package chaos

import "fmt"

// isolated is I13: nothing moves the position of the loaders but the loaders, and those only forward.
func isolated(x *index) Verdict {
	verdict := Verdict{Invariant: "I13", Meaning: "the position of the loaders only goes forward"}
	for i, f := range x.Floors {
		verdict.Judged++
		if i == 0 {
			continue
		}
		before := x.Floors[i-1]
		switch {
		case !f.Created.Equal(before.Created):
			verdict.offendf(Moved, fmt.Sprintf("created at %v, the one before at %v", f.Created, before.Created), "consumer at look %d", i)
		case f.Acked < before.Acked:
			verdict.offendf(Moved, fmt.Sprintf("sequence %d after %d", f.Acked, before.Acked), "consumer at look %d", i)
		}
	}
	return verdict
}

// private is I14: no canary stands in anything that a process said.
func private(x *index) Verdict {
	verdict := Verdict{Invariant: "I14", Meaning: "no secret and no personal datum stands in the output", Judged: x.Output.Canaries * x.Output.Files}
	for _, hit := range x.Output.Hits {
		verdict.offendf(Leaked, "", "%s", hit)
	}
	return verdict
}

// live is I15: after the last fault is undone all is read and loaded within the bound.
func live(x *index) Verdict {
	verdict := Verdict{Invariant: "I15", Meaning: "after the last fault all is read and loaded within the bound"}
	if x.Run.HealedAt.IsZero() {
		return verdict
	}
	verdict.Judged++
	switch took := x.Run.QuietAt.Sub(x.Run.HealedAt); {
	case x.Run.QuietAt.IsZero():
		verdict.offendf(Stuck, fmt.Sprintf("not within %v", seconds(x.Run.Bound)), "run")
	case took > seconds(x.Run.Bound):
		verdict.offendf(Stuck, fmt.Sprintf("after %v, at most %v", took, seconds(x.Run.Bound)), "run")
	}
	return verdict
}
