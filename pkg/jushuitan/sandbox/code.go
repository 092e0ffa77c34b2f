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
	texts := map[int]string{
		codeSign:             "验证失败！无效签名",
		codeToken:            "验证失败！无效的access_token或access_token已过期",
		codeIP:               "该IP不在白名单列表：" + detail,
		codePartnerSign:      "sign错误",
		codeParameter:        detail + "参数无法转换",
		codeSpecification:    "无效的timestamp，请求最大时间误差15分钟",
		codeInternal:         "服务商应用禁止刷新access_token",
		codeShop:             "店铺编号不存在",
		codePartnerTimestamp: "ts无效，请求最大时间误差10分钟",
		codeDenied:           "无API权限，请申请API权限",
		codePerSecond:        "调用频次超过限制!请稍后再试",
		codePerMinute:        "调用频次超过限制",
		codeMissing:          "缺少参数",
		codeNeverSeen:        "系统繁忙",
	}
	return refusal{code, texts[code]}
}
