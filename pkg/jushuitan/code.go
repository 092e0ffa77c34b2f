package jushuitan

import "strings"

// kindOf is what a vendor's code means. The old table's codes are still met on the new gateway, so a code means the same on both unless
// the two tables contradict each other, as for 140 and 150.
//
// Source: the vendor's code list of the open platform and its older page 2021 (docId=320); -4, 10004 and 10015 from programs that met them.
func kindOf(gateway Gateway, code int, text string) Kind {
	switch code {
	case 10, 120:
		return Signature
	case 100:
		return TokenExpired
	case 110:
		return IPNotAllowed
	case 130, -4, 10015:
		return BadParameter
	case 140:
		if gateway == OpenAPI && strings.Contains(strings.ToLower(text), "timestamp") {
			return ClockSkew
		}
		return BadParameter
	case 150:
		if gateway == OpenAPI {
			return RefreshForbidden
		}
		return Internal
	case 160:
		return Internal
	case 170:
		return UnknownShop
	case 180:
		return ClockSkew
	case 190:
		return NotGranted
	case 199:
		return RateLimitedSecond
	case 200, 10004: // 10004 is a rate limit of unsaid length: the longer wait serves for both.
		return RateLimitedMinute
	default:
		return Unknown
	}
}
