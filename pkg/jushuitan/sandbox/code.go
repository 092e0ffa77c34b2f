package sandbox

// The vendor's codes as far as the sandbox answers them; in order of value. Texts are the vendor's where they are known.
const (
	codeSign             = 10
	codeToken            = 100
	codeIP               = 110
	codePartnerSign      = 120
	codeParameter        = 130
	codeSpecification    = 140 // openapi: timestamp; partner: a parameter against the rules
	codeInternal         = 150
	codeShop             = 170
	codePartnerTimestamp = 180
	codeDenied           = 190
	codePerSecond        = 199
	codePerMinute        = 200
	codeMissing          = 10015
	codeNeverSeen        = 7341 // in no document
)

const textSuccess = "执行成功"

// refusal is an answer other than success; code 0 is none.
type refusal struct {
	code int
	text string
}

// refuse is a refusal with the vendor's text; detail is the caller's address for codeIP, the parameter's name for codeParameter.
func refuse(code int, detail string) refusal {
	text := "系统繁忙"
	switch code {
	case codeSign:
		text = "验证失败！无效签名"
	case codeToken:
		text = "验证失败！无效的access_token或access_token已过期"
	case codeIP:
		text = "该IP不在白名单列表：" + detail
	case codePartnerSign:
		text = "sign错误"
	case codeParameter:
		text = detail + "参数无法转换"
	case codeSpecification:
		text = "无效的timestamp，请求最大时间误差15分钟"
	case codeShop:
		text = "店铺编号不存在"
	case codePartnerTimestamp:
		text = "ts无效，请求最大时间误差10分钟"
	case codeDenied:
		text = "无API权限，请申请API权限"
	case codePerSecond:
		text = "调用频次超过限制!请稍后再试"
	case codePerMinute:
		text = "调用频次超过限制"
	}
	return refusal{code, text}
}
