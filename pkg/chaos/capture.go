package chaos

import "fmt"

// captured is I1: what stood in an answer is stored, or a newer version of it is.
func captured(x *index) Verdict {
	verdict := Verdict{Invariant: "I1", Meaning: "every version that was read is stored, or a newer one"}
	for _, v := range x.Versions {
		if !v.Served || v.Modified.Before(x.last.Start) {
			continue
		}
		verdict.Judged++
		x.missing(&verdict, v)
	}
	return verdict
}

// complete is I2: what could be seen in time is stored although nothing shows that it was read. What was read is I1's to name.
func complete(x *index) Verdict {
	verdict := Verdict{Invariant: "I2", Meaning: "every version that could be seen is stored, or a newer one"}
	if x.Run.QuietAt.IsZero() {
		return verdict
	}
	horizon := x.Run.QuietAt.Add(-seconds(x.Run.Settle + x.Run.Overlap))
	for _, v := range x.Versions {
		if !v.Visible.Before(horizon) || v.Modified.Before(x.last.Start) {
			continue
		}
		verdict.Judged++
		if !v.Served {
			x.missing(&verdict, v)
		}
	}
	return verdict
}

// missing names a version of which neither it nor a newer one is stored.
func (x *index) missing(verdict *Verdict, v Version) {
	if _, ok := x.storedAt(v); ok {
		return
	}
	class := Unseen
	if later(v.Modified, v.Visible).Before(x.last.Cursor) {
		class = Lost
	}
	verdict.offendf(class, "", "order %s ts %d", v.Key, v.TS)
}

// genuine is I12: nothing is stored that the ERP did not show, byte for byte.
func genuine(x *index) Verdict {
	verdict := Verdict{Invariant: "I12", Meaning: "every record is what the ERP showed, byte for byte"}
	for _, r := range x.Records {
		verdict.Judged++
		id := fmt.Sprintf("sequence %d order %s", r.Sequence, r.Key)
		if r.Broken != "" {
			verdict.offendf(Altered, r.Broken, "%s", id)
			continue
		}
		v, known := x.version(r.Key, r.TS)
		switch {
		case !known:
			verdict.offendf(Invented, "the ERP never had this version", "%s ts %d", id, r.TS)
		case v.SHA256 != r.SHA256:
			verdict.offendf(Altered, "the bytes differ from those shown", "%s ts %d", id, r.TS)
		case !v.Served:
			verdict.offendf(Invented, "the ERP has this version and never answered with it", "%s ts %d", id, r.TS)
		}
	}
	return verdict
}

func (x *index) version(key string, ts int64) (Version, bool) {
	for _, v := range x.versions[key] {
		if v.TS == ts {
			return v, true
		}
	}
	return Version{}, false
}

// ordered is I6: the records of an order never become older.
func ordered(x *index) Verdict {
	verdict := Verdict{Invariant: "I6", Meaning: "along the stream no order goes back"}
	newest := map[string]int64{}
	for _, r := range x.Records {
		if r.Copy || r.Broken != "" {
			continue
		}
		verdict.Judged++
		if r.TS < newest[r.Key] {
			verdict.offendf(Regressed, fmt.Sprintf("after ts %d", newest[r.Key]), "sequence %d order %s ts %d", r.Sequence, r.Key, r.TS)
			continue
		}
		newest[r.Key] = r.TS
	}
	return verdict
}

// storedOnce has no number of its own in the study: no version stands on the stream twice.
func storedOnce(x *index) Verdict {
	verdict := Verdict{Invariant: "once", Meaning: "no version is stored twice"}
	type content struct {
		key, sha256 string
		ts          int64
	}
	first := map[content]uint64{}
	for _, r := range x.Records {
		if r.Copy || r.Broken != "" {
			continue
		}
		verdict.Judged++
		c := content{r.Key, r.SHA256, r.TS}
		if at, ok := first[c]; ok {
			verdict.offendf(Duplicate, fmt.Sprintf("as sequence %d", at), "sequence %d order %s ts %d", r.Sequence, r.Key, r.TS)
			continue
		}
		first[c] = r.Sequence
	}
	return verdict
}
