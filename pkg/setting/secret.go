package setting

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"juliu/pkg/secret"
)

const (
	// maxSecret is more bytes than any key or token has, and fewer than a mistaken path to something large.
	maxSecret = 64 << 10
	// writableByOthers are the permissions that let others replace a secret. Being readable is borne: Docker and Kubernetes mount
	// secrets readable by all inside the container.
	writableByOthers fs.FileMode = 0o022
)

// Secret reads a secret from value (of the variable name) or from the file whose path is file (the value of name_FILE), but not from
// both. One line break at the end of the file does not count. When neither is set it returns the zero Text.
func (p *Parser) Secret(name, value, file string) secret.Text {
	if file != "" {
		if value != "" {
			p.Problem(name, "and "+name+"_FILE are both set", "unset one of them")
			return secret.Text{}
		}
		name += "_FILE"
		value = p.secretFile(name, file)
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		p.Problem(name, "holds more than one line", "put the secret there alone")
		return secret.Text{}
	}
	return secret.New(value)
}

// secretFile reads a file that holds one secret.
func (p *Parser) secretFile(name, path string) string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		p.unreadable(name, err)
		return ""
	case !info.Mode().IsRegular(): // opening a pipe would wait for its other end
		p.Problem(name, "names something that is not a file", "give the path of a file that holds the secret alone")
		return ""
	case info.Mode().Perm()&writableByOthers != 0:
		p.Problem(name, "names a file that others can write", "take the right away with chmod go-w, better with chmod 600")
		return ""
	}
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		p.unreadable(name, err)
		return ""
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	switch {
	case err != nil:
		p.unreadable(name, err)
	case len(text) > maxSecret:
		p.Problem(name, "names a file too large for a secret", "give the path of a file that holds the secret alone")
	case strings.TrimSpace(string(text)) == "":
		p.Problem(name, "names an empty file", "write the secret into it")
	default:
		return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	}
	return ""
}

// unreadable leaves the path out, because a secret set where its path belongs would be shown.
func (p *Parser) unreadable(name string, err error) {
	cause := "names a file that cannot be read"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		cause = "names a file that does not exist"
	case errors.Is(err, fs.ErrPermission):
		cause = "names a file that this user may not read"
	}
	p.Problem(name, cause, "give the path of a file that this user can read, e.g. /run/secrets/"+strings.ToLower(strings.TrimSuffix(name, "_FILE")))
}
