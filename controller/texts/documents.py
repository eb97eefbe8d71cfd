"""Texts of reading YAML: what is wrong with the document itself, with the type of a value, and with a site document."""

from controller.texts.text import Actor, Text, errors_of

_error = errors_of(Actor.DEPARTMENT)


def _site(zh: str, en: str, cure_zh: str, cure_en: str) -> Text:
    return _error(zh, en, cure_zh, cure_en, Actor.OPERATOR)


_DOCUMENT = {
    "document.too_large": _error(
        "文件有 {bytes} 字节，上限 {max_bytes} 字节。",
        "The document has {bytes} bytes; at most {max_bytes} are read.",
        "拆成几个文件，附件不要放在文件里。",
        "Split it, and keep attachments out of it.",
    ),
    "document.encoding": _error(
        "第 {line} 行的文字编码既不是 UTF-8，也不是 GB18030。",
        "Line {line} is neither UTF-8 nor GB18030.",
        "用编辑器把文件另存为 UTF-8。",
        "Save the file as UTF-8.",
    ),
    "document.read_as_gb18030": Text(
        zh="文件不是 UTF-8，已按 GB18030 读取；建议另存为 UTF-8。",
        en="The document is not UTF-8 and was read as GB18030; saving it as UTF-8 is safer.",
    ),
    "document.control_character": _error(
        "含有不可见的控制字符 {character}。",
        "There is an invisible control character, {character}.",
        "删除这个字符；从别处粘贴的文字请重新输入。",
        "Delete it; type again what was pasted from elsewhere.",
    ),
    "document.empty": _error(
        "文件是空的。", "The document is empty.", "从 etc/examples 里的示例开始。", "Start from an example in etc/examples."
    ),
    "document.syntax": _error(
        "此处不符合 YAML 格式（解析器的说法：{reason}）。",
        "This is not YAML (the parser says: {reason}).",
        "检查这一行和上一行：缩进用空格、冒号后留空格、引号和括号成对。",
        "Look at this line and the one above: indent with spaces, a space after the colon, quotes and brackets in pairs.",
    ),
    "document.tab": _error(
        "用制表符（Tab）缩进。",
        "The line is indented with a tab.",
        "缩进只用空格。",
        "Indent with spaces only.",
    ),
    "document.full_width": _error(
        "这里用了全角标点“{character}”。",
        "There is full-width punctuation here: {character}",
        "改成半角“{fix}”；若它是文字的一部分，把整段文字放进英文双引号里。无歧义的可用 allot check --fix 改正。",
        "Write “{fix}” instead; if it belongs to the text, put the whole text in double quotes. "
        "Or let allot check --fix mend what needs no guess.",
    ),
    "document.feature_refused": _error(
        "不接受 YAML 的锚点、别名、标签和指令：{feature}。",
        "YAML anchors, aliases, tags and directives are not accepted: {feature}",
        "把内容直接写出来；若是普通文字，加上引号。",
        "Write the content out; quote it if it is plain text.",
    ),
    "document.several_documents": _error(
        "一个文件里有多份内容（用 --- 隔开）。",
        "There are several documents in one file (separated by ---).",
        "每份内容单独存成一个文件。",
        "Keep each in a file of its own.",
    ),
    "document.too_deep": _error(
        "嵌套超过 {max_depth} 层。", "It is nested more than {max_depth} deep.", "减少嵌套。", "Nest less."
    ),
    "document.too_many_values": _error(
        "内容超过 {max_count} 项。", "There are more than {max_count} values.", "拆成几个文件。", "Split the document."
    ),
    "document.key_not_text": _error(
        "键必须是文字，不能是列表或映射。", "A key must be text, not a list or mapping.", "改用普通的键名。", "Use a plain key."
    ),
    "document.key_too_long": _error(
        "键“{key}”超过 {max_length} 个字符。",
        "The key “{key}” is longer than {max_length} characters.",
        "检查是否漏写了冒号后的空格或引号。",
        "See whether a space after a colon, or a quote, is missing.",
    ),
    "document.duplicate_key": _error(
        "键“{key}”在第 {first_line} 行和第 {line} 行重复。",
        "The key “{key}” stands on line {first_line} and again on line {line}.",
        "只保留其中一个。",
        "Keep one of them.",
    ),
    "document.both_spellings": _error(
        "“{key}”与第 {first_line} 行的“{first_key}”是同一个字段的两种写法。",
        "“{key}” and “{first_key}” on line {first_line} are one field in two spellings.",
        "只保留其中一个。",
        "Keep one of them.",
    ),
    "document.more_problems": Text(zh="还有 {count} 处问题未列出。", en="{count} more problems are not listed."),
    "document.wrong_type": _error(
        "字段 {field} 写法不对：应为 {expected}，写的是 {written}。",
        "{field} should be of the kind {expected}; it is {written}.",
        "text 是一段文字，list 是以“- ”开头的列表，mapping 是“键: 值”。",
        "A list has lines that begin with “- ”, a mapping has “key: value”.",
    ),
    "document.empty_value": _error(
        "字段 {field} 没有写值。", "{field} has no value.", "写上值，或删去这个键。", "Give it a value, or delete the key."
    ),
    "document.missing_field": _error("缺少字段 {field}。", "{field} is missing.", "补上 {spelling}。", "Add {spelling}."),
    "document.bad_line": _error(
        "字段 {field} 应是一行、不超过 {max_length} 个字符的文字（现有 {length} 个字符）。",
        "{field} must be one line of at most {max_length} characters (it has {length}).",
        "缩短并写成一行。",
        "Shorten it to one line.",
    ),
    "document.bad_format": _error(
        "字段 {field} 的格式不对：{written}。",
        "{field} is not well-formed: {written}",
        "例如 {example}。",
        "For example {example}.",
    ),
    "document.bad_name": _error(
        "“{written}”不能作名称：只用小写英文字母、数字和连字符，以字母开头，最多 {max_length} 个字符。",
        "“{written}” cannot be a name: small ASCII letters, digits and hyphens, a letter first, at most {max_length} characters.",
        "可以写 {suggestion}；中文名称写在 title（标题）里。",
        "You could write {suggestion}; a Chinese name belongs in title.",
    ),
    "document.not_a_number": _error(
        "字段 {field} 应是整数：{written}。",
        "{field} must be a whole number: {written}",
        "写数字，例如 2。",
        "Write a number such as 2.",
    ),
    "document.out_of_range": _error(
        "字段 {field} 的值 {number} {unit} 超出范围 {minimum} 至 {maximum}。",
        "{field} is {number} {unit}; it must lie between {minimum} and {maximum}.",
        "改成范围内的值。",
        "Write a value in that range.",
    ),
    "document.not_an_amount": _error(
        "字段 {field} 应是带单位的容量：{written}。",
        "{field} must be an amount with its unit: {written}",
        "写上单位，例如 512MiB、4GiB、1TiB。",
        "Write the unit, for example 512MiB, 4GiB or 1TiB.",
    ),
    "document.not_whole_gib": _error(
        "字段 {field} 应是整数 GiB：{written}。", "{field} must be whole GiB: {written}", "例如 1GiB。", "For example 1GiB."
    ),
    "document.unit_assumed": Text(zh="{field} 的“{written}”按 {unit} 计。", en="“{written}” in {field} was read in {unit}."),
    "document.not_a_decimal": _error(
        "字段 {field} 应是不超过 {places} 位小数的数：{written}。",
        "{field} must be a decimal with at most {places} places: {written}",
        '例如 "1.5"。',
        'For example "1.5".',
    ),
    "document.not_a_date": _error(
        "字段 {field} 不是存在的日期：{written}。",
        "{field} is no date that exists: {written}",
        "例如 2027-02-28 或 2027年2月28日；租期也可写 12个月、1年。",
        "For example 2027-02-28; a lease may also be 12 months or 1 year.",
    ),
    "document.unknown_value": _error(
        "字段 {field} 不能是“{written}”。",
        "{field} cannot be “{written}”.",
        "可写（最接近的在前）：{offered}。",
        "Offered, nearest first: {offered}.",
    ),
    "document.text_too_long": _error(
        "字段 {field} 有 {bytes} 字节，上限 {max_bytes} 字节。",
        "{field} has {bytes} bytes; at most {max_bytes} are kept.",
        "缩短内容，较大的文件改由服务器启动后下载。",
        "Shorten it; let the server fetch what is larger.",
    ),
    "document.too_many_items": _error(
        "字段 {field} 有 {count} 项，超过上限 {maximum}。",
        "{field} has {count} items; at most {maximum} are allowed.",
        "减少项数，或分成几份。",
        "Use fewer, or split the document.",
    ),
    "document.empty_list": _error(
        "列表 {field} 至少要有一项。", "The list {field} needs an item.", "写上至少一项。", "Add at least one item."
    ),
    "document.duplicate_item": _error(
        "{field} 中“{name}”重复，第一次在第 {first_line} 行。",
        "“{name}” stands twice in {field}, first on line {first_line}.",
        "改名或删去一个。",
        "Rename or delete one.",
    ),
}

_SITE = {
    "site.unknown_field": _site(
        "不认识的字段“{field}”。",
        "The field “{field}” is unknown.",
        "可写（最接近的在前）：{offered}。",
        "Offered, nearest first: {offered}.",
    ),
    "site.unknown_reference": _site(
        "{field} 指向不存在的 {kind}：“{written}”。",
        "{field} names a {kind} that does not exist: “{written}”",
        "可用的有（最接近的在前）：{offered}；或先在本文件中定义它。",
        "There are, nearest first: {offered}; or define it in this document.",
    ),
    "site.department_cycle": _site(
        "部门“{code}”成了自己的上级。", "The department “{code}” is above itself.", "改正 parent。", "Correct its parent."
    ),
    "site.bad_address_range": _site(
        "“{written}”不是可用的私有 IPv4 网段。",
        "“{written}” is no private IPv4 range that could be divided.",
        "例如 10.96.0.0/16（主机位为零，前缀不长于 28）。",
        "For example 10.96.0.0/16 (host bits zero, prefix at most 28).",
    ),
    "site.segment_too_large": _site(
        "网段前缀 /{prefix} 大于整个区域 {range}。",
        "A segment of /{prefix} is larger than the range {range}.",
        "把 segment-prefix 写得更长，例如 26。",
        "Use a longer segment-prefix, for example 26.",
    ),
    "site.ranges_overlap": _site(
        "区域“{zone}”与“{other}”的地址重叠。",
        "The address ranges of zones “{zone}” and “{other}” overlap.",
        "给每个区域各自的地址。",
        "Give every zone a range of its own.",
    ),
    "site.pool_above_zone": _site(
        "资源池的等保级别 {level} 高于所在区域“{zone}”的 {maximum}。",
        "The pool's MLPS level {level} is above that of its zone “{zone}”, {maximum}.",
        "降低资源池的级别，或换一个区域。",
        "Lower it, or choose another zone.",
    ),
    "site.fencing_missing": _site(
        "资源池 {pool} 没有切断主机电源的手段，失联主机不能自动按失效处理。",
        "Pool {pool} has no means to cut the power of its hosts: those that do not answer cannot be given up by themselves.",
        "在服务设置 fencing.directory 的目录中为该资源池放置断电程序，或去掉 lost-hosts。",
        "Put the pool's program into the directory that the setting fencing.directory names, or leave out lost-hosts.",
    ),
    "site.bad_cpus": _site(
        "“{written}”不是处理器集合。",
        "“{written}” is no set of processors.",
        "例如 4-15,20-31（编号从 0 开始，小的在前）。",
        "Write for example 4-15,20-31 (numbers from 0, the lower one first).",
    ),
    "site.cpus_overlap": _site(
        "宿主机 {host} 的处理器 {cpus} 既是专用又是共享。",
        "Processors {cpus} of host {host} are both dedicated and shared.",
        "每个处理器只能属于一个集合。",
        "Name each processor in one of the two sets only.",
    ),
    "site.size_not_even": _site(
        "规格 {size} 的 {what} 不能平均分到 {nodes} 个 NUMA 节点（大页须整页）。",
        "The {what} of size {size} cannot be split evenly over {nodes} NUMA nodes (in whole huge pages).",
        "请改处理器数、内存、大页大小或 numa-nodes，使每个节点分得相同。",
        "Change the processors, the memory, the page size or numa-nodes so that every node gets the same.",
    ),
    "site.bad_connection": _site(
        "“{written}”不能作主机连接：只接受本机或加密的连接，不得含口令。",
        "“{written}” cannot be a host's connection: it must be local or encrypted and hold no password.",
        "例如 qemu:///system、qemu+ssh://host/system、qemu+tls://host/system。",
        "For example qemu:///system, qemu+ssh://host/system or qemu+tls://host/system.",
    ),
    "site.image_source": _site(
        "镜像“{name}”须写 file 或 url 之一，且只写一个。",
        "The image “{name}” needs either file or url.",
        "保留其中一个。",
        "Keep one of them.",
    ),
    "site.bad_url": _site(
        "镜像“{name}”的网址不可用。",
        "The URL of image “{name}” cannot be used.",
        "写 https 网址，不含用户名和口令。",
        "Write an https URL without a login.",
    ),
    "site.image_hash_missing": _site(
        "镜像“{name}”从网址导入，缺少 sha256。",
        "The image “{name}” comes from a URL and has no sha256.",
        "写上发布者公布的 SHA-256。",
        "Add the SHA-256 its publisher states.",
    ),
    "site.bad_limit": _site(
        "{field} 的配额“{written}”不对（单位：{unit}）。",
        "The limit {field} cannot be “{written}” (unit: {unit}).",
        "写数量（内存、磁盘带单位），或 unlimited，或 inherit。",
        "Write an amount (memory and disk with their unit), unlimited or inherit.",
    ),
    "site.quota_scope": _site(
        "配额须指明 department 或 project 之一，且只写一个。",
        "A quota names either a department or a project.",
        "保留其中一个。",
        "Keep one of them.",
    ),
    "site.quota_twice": _site("“{scope}”的配额写了两次。", "There are two quotas of “{scope}”.", "合并成一项。", "Make it one."),
    "site.unknown_meter": _site(
        "不认识的计量项“{written}”。",
        "The meter “{written}” is unknown.",
        "可用：vcpu、memory_gib、disk_gib:<类别>、address。",
        "There are vcpu, memory_gib, disk_gib:<class> and address.",
    ),
    "site.wrong_unit": _site(
        "计量项 {meter} 的单位应是 {unit}，写的是 {written}。",
        "The unit of {meter} is {unit}, not {written}.",
        "改成 {unit}，并核对价格。",
        "Write {unit}, and check the price.",
    ),
    "site.price_twice": _site(
        "计量项 {meter} 从 {date} 起有两个价格。",
        "There are two prices of {meter} from {date} on.",
        "只保留一个。",
        "Keep one of them.",
    ),
}

TEXTS: dict[str, Text] = _DOCUMENT | _SITE
