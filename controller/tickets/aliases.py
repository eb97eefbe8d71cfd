"""Chinese spellings of the ticket language: one exact table for keys and one for values.

A key's Chinese spelling is its own within its mapping (tested both ways), so a document may mix both languages but can
say one thing only once. Values are stored as codes; the labels here are only how they may be written.
"""

from collections.abc import Mapping

#: Chinese key by the path of the field.
KEYS: Mapping[str, str] = {
    "apiVersion": "版本",
    "kind": "类型",
    "base": "基准版本",
    "environment": "环境",
    "notes": "备注",
    "metadata": "基本信息",
    "metadata.name": "名称",
    "metadata.title": "标题",
    "metadata.action": "操作",
    "metadata.labels": "标签",
    "applicant": "申请",
    "applicant.department": "部门",
    "applicant.owner": "负责人",
    "applicant.technical": "技术联系人",
    "applicant.contact": "联系人",
    "applicant.contact.name": "姓名",
    "applicant.contact.phone": "电话",
    "applicant.contact.email": "邮箱",
    "project": "项目",
    "project.code": "编号",
    "project.reservation": "预留",
    "project.budget": "预算",
    "project.approval": "批文",
    "system": "系统",
    "system.network": "网络",
    "system.importance": "重要性",
    "system.users": "用户",
    "system.mlps": "等保",
    "system.mlps.level": "级别",
    "system.mlps.filing": "备案号",
    "system.mlps.assessment": "测评号",
    "lease": "租期",
    "lease.start": "开始",
    "lease.end": "结束",
    "lease.on-expiry": "到期处理",
    "data": "数据",
    "migration": "迁移",
    "policy": "策略",
    "acceptance": "验收",
    "resources": "资源",
    "resources.load-balancers": "负载均衡",
    "resources.publish": "发布",
    "resources.scaling": "伸缩",
    "resources.servers": "服务器",
    "resources.servers.name": "名称",
    "resources.servers.state": "状态",
    "resources.servers.count": "数量",
    "resources.servers.size": "规格",
    "resources.servers.size.cpu": "处理器",
    "resources.servers.size.memory": "内存",
    "resources.servers.image": "镜像",
    "resources.servers.arch": "架构",
    "resources.servers.root-disk": "系统盘",
    "resources.servers.root-disk.size": "容量",
    "resources.servers.root-disk.class": "类别",
    "resources.servers.disks": "数据盘",
    "resources.servers.disks.name": "名称",
    "resources.servers.disks.size": "容量",
    "resources.servers.disks.class": "类别",
    "resources.servers.disks.state": "状态",
    "resources.servers.disks.encrypted": "加密",
    "resources.servers.spread": "分散",
    "resources.servers.spread-max": "每处上限",
    "resources.servers.networks": "网络",
    "resources.servers.traits": "主机特性",
    "resources.servers.user-data": "初始化数据",
    "resources.servers.ssh-keys": "登录公钥",
    "resources.servers.software": "软件",
    "resources.servers.open": "开放",
    "resources.servers.backup": "备份",
}

KIND = {"Ticket": "工单"}
ACTIONS = {"create": "新建", "change": "变更", "renew": "续租", "release": "释放"}
ACTIONS_NOT_OFFERED = {"adopt": "接管", "transfer": "移交"}
ENVIRONMENTS = {"production": "生产", "test": "测试", "development": "开发"}
#: Failure domains, the finest first.
DOMAINS = {"host": "主机", "rack": "机架", "room": "机房", "site": "数据中心"}
SPREADS = {
    "none": "不限",
    **{word: f"不同{label}" for word, label in DOMAINS.items()},
    **{f"soft-{word}": f"尽量不同{label}" for word, label in DOMAINS.items()},
    **{f"same-{word}": f"同一{label}" for word, label in DOMAINS.items()},
    **{f"soft-same-{word}": f"尽量同一{label}" for word, label in DOMAINS.items()},
}
ARCHS = {"any": "不限", "x86_64": "", "aarch64": ""}
STATES = {"absent": "删除"}
MLPS_WORDS = {
    word: level
    for level, digit in enumerate("一二三四五", start=1)
    for word in (digit, f"{digit}级", f"第{digit}级", f"第{level}级")
}

#: Usual Chinese words for catalogue codes: they count where the site has that code and gives it no title of its own.
SIZES = {"tiny": "微型", "small": "小型", "medium": "中型", "large": "大型", "xlarge": "特大型"}
DISK_CLASSES = {"standard": "标准", "high-performance": "高性能", "capacity": "大容量", "archive": "归档"}
