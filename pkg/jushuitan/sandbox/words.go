package sandbox

// vocabulary is what texts are made of.
type vocabulary struct {
	surnames, givenNames                  []string
	places                                []place
	streets, estates                      []string
	goods                                 []product
	colours, sizes                        []string
	carriers                              []carrier
	orderTypes, remarks, labels, messages []string
	notes, staff, suppliers               []string
	warehouses                            []int64
}

type place struct{ state, city, district, town string }

type product struct {
	style, name, unit string
	cents             int64
	grams             int64
}

type carrier struct{ code, name, prefix string }

func newVocabulary() vocabulary {
	return vocabulary{
		surnames:   []string{"王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "欧阳", "司马"},
		givenNames: []string{"伟", "芳", "秀英", "敏", "静怡", "丽", "强", "磊", "洋", "艳", "勇", "子涵", "雨桐", "浩然", "𠮷祥"},
		places: []place{
			{"浙江省", "杭州市", "余杭区", "仓前街道"},
			{"广东省", "深圳市", "南山区", "粤海街道"},
			{"广东省", "东莞市", "", "虎门镇"},
			{"江苏省", "苏州市", "昆山市", "花桥镇"},
			{"上海", "上海市", "浦东新区", "张江镇"},
			{"北京", "北京市", "朝阳区", "望京街道"},
			{"四川省", "成都市", "武侯区", "桂溪街道"},
			{"湖北省", "武汉市", "洪山区", "关山街道"},
			{"新疆维吾尔自治区", "乌鲁木齐市", "天山区", "新华南路街道"},
			{"内蒙古自治区", "呼和浩特市", "赛罕区", "大学东路街道"},
		},
		streets: []string{"文一西路", "人民南路", "解放大道", "科技园路", "中山北路", "建设二马路"},
		estates: []string{"梧桐公寓", "阳光花园", "滨江一号", "创业大厦", "幸福里小区"},
		goods: []product{
			{"s111", "纯棉宽松短袖T恤女夏季新款", "件", 7900, 220},
			{"s112", "加绒连帽卫衣情侣款", "件", 15900, 640},
			{"k203", "北欧风陶瓷马克杯 350ml", "个", 3950, 410},
			{"k209", "316不锈钢保温杯", "个", 12800, 380},
			{"m301", "手撕面包早餐整箱 1kg", "箱", 2990, 1080},
			{"m317", "新疆和田大枣 500g×2袋", "组", 4580, 1050},
			{"b401", "婴儿湿巾80抽×10包", "提", 6990, 2600},
			{"h502", "氨基酸洗面奶 120g", "支", 8800, 150},
			{"h530", "补水面膜(10片装)", "盒", 9900, 330},
			{"d608", "蓝牙耳机 降噪入耳式", "副", 22300, 90},
		},
		colours: []string{"白色", "黑色", "雾霾蓝", "奶油杏", "墨绿", "樱花粉"},
		sizes:   []string{"S", "M", "L", "XL", "均码", "标准装"},
		carriers: []carrier{
			{"SF", "顺丰速运", "SF"},
			{"YTO", "圆通速递", "YT"},
			{"ZTO", "中通快递", ""},
			{"STO", "申通快递", ""},
			{"JD", "京东物流", "JD"},
		},
		orderTypes: []string{"普通订单", "普通订单", "普通订单", "普通订单", "补发订单", "换货订单", "分销Plus", "供销Plus"},
		remarks: []string{
			"客户要求改地址，已电联确认", "加急！今天必须发出", "赠品漏发，随单补寄", "换大一码", "仓库缺货，延后发货",
			"发票随货\n抬头见备注", "已退差价 ¥10.00", "VIP客户\t轻拿轻放", "\"易碎\" <请加泡沫> & 木架",
		},
		labels:   []string{"延时发货", "加急", "已改地址", "补差价", "大客户", "拆单", "直播间"},
		messages: []string{"麻烦尽快发货，谢谢", "请放快递柜", "不要发邮政", "送人的，别放小票 🎁", "周末再送"},
		notes:    []string{"线下调拨", "门店自提转快递", "样品"},
		staff:    []string{"川梣", "小鹿", "阿泽", "木木"},
		suppliers: []string{
			"杭州云织服饰有限公司", "景德镇青禾陶瓷厂", "和田枣业合作社", "广州美颜日化有限公司",
		},
		warehouses: []int64{companyID, 11053188, 11053204},
	}
}
