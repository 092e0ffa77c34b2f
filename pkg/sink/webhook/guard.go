package webhook

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// allowList is what may be reached although it is not public.
type allowList struct {
	hosts    map[string]bool
	networks []netip.Prefix
}

// parseAllow reads what Config.Allow describes.
func parseAllow(text string) (allowList, *ConfigError) {
	a := allowList{hosts: map[string]bool{}}
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		network, networkErr := netip.ParsePrefix(entry)
		address, addressErr := netip.ParseAddr(strings.Trim(entry, "[]"))
		host := strings.TrimSuffix(entry, ".")
		switch {
		case entry == "":
		case networkErr == nil && !network.Addr().Is4In6():
			a.networks = append(a.networks, network.Masked())
		case addressErr == nil:
			address = address.Unmap().WithZone("")
			a.networks = append(a.networks, netip.PrefixFrom(address, address.BitLen()))
		case checkHost(host) == nil:
			a.hosts[host] = true
		default:
			return allowList{}, &ConfigError{
				PartAllow, "holds something that is neither a host nor a network", "write names and CIDRs, separated by commas: erp.internal, 10.1.0.0/16",
			}
		}
	}
	return a, nil
}

// covers reports whether the list names the address or its network.
func (a allowList) covers(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	return slices.ContainsFunc(a.networks, func(p netip.Prefix) bool { return p.Contains(address) })
}

// guard decides which addresses may be dialled.
type guard struct {
	allow allowList
	// named is whether the list names the receiver's host.
	named bool
}

// admits reports whether the address may be dialled.
func (g guard) admits(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	return isPublic(address) || g.allow.covers(address) || g.named && (address.IsLoopback() || address.IsPrivate())
}

// control runs after the name was resolved and before the connection is opened, for each address: so a name that changes its address
// between check and use gains nothing.
func (g guard) control(_ context.Context, _, target string, _ syscall.RawConn) error {
	address, err := netip.ParseAddrPort(target)
	if err != nil || !g.admits(address.Addr()) {
		return &addressError{address: address.Addr()}
	}
	return nil
}

// addressError is an address that may not be dialled.
type addressError struct{ address netip.Addr }

// Error names the address, which is no secret.
func (e *addressError) Error() string {
	return "its address " + e.address.String() + " is not public: list the host or its network in LOADER_WEBHOOK_ALLOW if the receiver really is there"
}

// isPublic reports whether the address belongs to the internet. It must not be in its IPv4-mapped form.
func isPublic(address netip.Addr) bool {
	if !address.IsValid() || address.Is6() && !netip.MustParsePrefix("2000::/3").Contains(address) {
		return false
	}
	return !slices.ContainsFunc(special(), func(network string) bool { return netip.MustParsePrefix(network).Contains(address) })
}

// special are the networks of the IANA special-purpose registries (2025-10) and those of multicast, as far as they lie in IPv4 and
// 2000::/3: private, loopback, link-local, shared (in which one cloud keeps its metadata), documentation, benchmarks. Of IPv6 all that
// carry an IPv4 address in them are among it or outside 2000::/3: Teredo, 6to4, NAT64.
func special() []string {
	return []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	}
}

// errHost means that a host is not the name of one.
var errHost = errors.New("not a host name")

// checkHost refuses what is no host name, and names that end in a number: some resolvers read 2130706433, 0x7f.1 and 127.1 as
// addresses, and net/http maps digits of other scripts to ASCII.
func checkHost(host string) error {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" || strings.HasPrefix(last, "0x") || strings.Trim(last, "0123456789") == "" {
		return errHost
	}
	for _, r := range host {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", r) {
			return errHost
		}
	}
	return nil
}
