"""Texts about images: what was found in a file, and what went wrong on its way into the library."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text, errors_of

_FLATTEN_ZH = "请先用 qemu-img convert -O qcow2 转换成单个独立文件,再重新计算 SHA-256 并导入。"
_FLATTEN_EN = "Turn it into one self-contained file with qemu-img convert -O qcow2, compute its SHA-256 again, and import that."
_SOURCE_ZH = "不要使用这个文件。请从可信来源重新获取镜像,并核对发布方给出的 SHA-256。"
_SOURCE_EN = "Do not use this file. Get the image again from a source you trust and compare the SHA-256 its publisher gives."


_error = errors_of(Actor.OPERATOR)


TEXTS: Mapping[str, Text] = {
    "image.not_found": _error(
        "找不到镜像文件 {path}。",
        "There is no image file {path}.",
        "请检查路径;文件必须在运行控制器的机器上。",
        "Check the path; the file must be on the machine the controller runs on.",
    ),
    "image.not_a_file": _error(
        "{path} 不是普通文件(可能是目录、设备或管道)。",
        "{path} is not a regular file (a directory, a device or a pipe).",
        "请给出镜像文件本身的路径。",
        "Give the path of the image file itself.",
    ),
    "image.unreadable": _error(
        "无法读取镜像文件 {path}。",
        "The image file {path} cannot be read.",
        "请检查文件权限以及所在磁盘是否正常。",
        "Check the permissions of the file and the health of the disk it lies on.",
    ),
    "image.empty": _error("镜像文件是空的。", "The image file is empty.", _SOURCE_ZH, _SOURCE_EN),
    "image.too_large": _error(
        "镜像文件超过允许的最大值 {max_bytes} 字节。",
        "The image file is larger than the {max_bytes} bytes allowed.",
        "请换用更小的镜像,或由平台运维人员调高镜像大小上限。",
        "Use a smaller image, or have the limit for images raised.",
    ),
    "image.virtual_size_too_large": _error(
        "镜像声明的虚拟磁盘为 {virtual_size_bytes} 字节,超过上限 {max_bytes} 字节。",
        "The image claims a disk of {virtual_size_bytes} bytes, more than the {max_bytes} bytes allowed.",
        "请缩小镜像的虚拟磁盘(qemu-img resize --shrink),或由平台运维人员调高上限。",
        "Shrink the image's disk (qemu-img resize --shrink), or have the limit raised.",
    ),
    "image.raw_size": _error(
        "raw 镜像的大小 {size_bytes} 字节不是 512 的整数倍,不是完整的磁盘。",
        "A raw image of {size_bytes} bytes is no whole number of 512-byte sectors: not a complete disk.",
        _SOURCE_ZH,
        _SOURCE_EN,
    ),
    "image.compressed": _error(
        "这个文件是 {found} 压缩文件,不是磁盘镜像。",
        "This file is compressed with {found}; it is not a disk image yet.",
        "请先解压,再对解压后的文件计算 SHA-256 并导入。",
        "Unpack it first, compute the SHA-256 of what comes out, and import that.",
    ),
    "image.format_not_accepted": _error(
        "镜像格式是 {found},平台只接受 qcow2 和 raw。",
        "The image is of format {found}; only qcow2 and raw are accepted.",
        _FLATTEN_ZH,
        _FLATTEN_EN,
    ),
    "image.format_mismatch": _error(
        "镜像声明为 {declared},实际内容是 {found}。",
        "The image is declared as {declared}, but its content is {found}.",
        "请核对来源;如果内容确实可信,请把声明改为 {found}。",
        "Check where it comes from; if the content is what you want, declare {found}.",
    ),
    "image.several_formats": _error(
        "这个文件同时符合多种格式({formats}),可能是为绕过检查而伪造的。",
        "This file is of several formats at once ({formats}); it may have been made to deceive checks.",
        _SOURCE_ZH,
        _SOURCE_EN,
    ),
    "image.backing_file": _error(
        "镜像依赖另一个文件(backing file),有读取宿主机文件的风险。",
        "The image builds on another file (backing file), which could be any file of a host.",
        _FLATTEN_ZH,
        _FLATTEN_EN,
    ),
    "image.data_file": _error(
        "镜像的数据放在外部文件中(data file),有读写宿主机文件的风险。",
        "The image keeps its data in another file (data file), which could be any file of a host.",
        _FLATTEN_ZH,
        _FLATTEN_EN,
    ),
    "image.unknown_features": _error(
        "镜像使用了平台不接受的 qcow2 特性,或者标记为已损坏、未正常关闭。",
        "The image uses qcow2 features that are not accepted here, or is marked as corrupt or not cleanly closed.",
        _FLATTEN_ZH,
        _FLATTEN_EN,
    ),
    "image.header_extension": _error(
        "镜像头部带有平台不接受的扩展 {extension}。",
        "The header of the image carries the extension {extension}, which is not accepted here.",
        _FLATTEN_ZH,
        _FLATTEN_EN,
    ),
    "image.encrypted": _error("镜像已加密,无法启动。", "The image is encrypted and cannot be started.", _FLATTEN_ZH, _FLATTEN_EN),
    "image.has_snapshots": _error(
        "镜像内含 {count} 个快照,其中可能有不应公开的旧数据。",
        "The image holds {count} snapshots, which may contain old data that should not be handed out.",
        _FLATTEN_ZH,
        _FLATTEN_EN,
    ),
    "image.unsafe": _error(
        "镜像没有通过安全检查({check})。",
        "The image did not pass the safety check ({check}).",
        _SOURCE_ZH,
        _SOURCE_EN,
    ),
    "image.malformed": _error(
        "镜像已损坏或被截断:{what}。",
        "The image is broken or cut short: {what}.",
        _SOURCE_ZH,
        _SOURCE_EN,
    ),
    "image.hash_required": _error(
        "从网络地址导入镜像时必须给出 SHA-256。",
        "An image from a web address needs its SHA-256.",
        "请加上 --sha256,值取自镜像发布方的校验文件。",
        "Add --sha256 with the value from the publisher's checksum file.",
    ),
    "image.hash_malformed": _error(
        "“{given}”不是 SHA-256(应为 64 位十六进制数)。",
        "'{given}' is not a SHA-256 (64 hexadecimal digits).",
        "请从镜像发布方的校验文件复制完整的值。",
        "Copy the whole value from the publisher's checksum file.",
    ),
    "image.hash_mismatch": _error(
        "镜像的 SHA-256 是 {found},与要求的 {expected} 不一致。",
        "The SHA-256 of the image is {found}, not {expected} as asked.",
        _SOURCE_ZH,
        _SOURCE_EN,
    ),
    "image.no_space": _error(
        "镜像库 {path} 所在磁盘空间不足,没有留下任何半成品。",
        "There is no space left for the image library {path}; nothing half-copied was left behind.",
        "请清理空间或扩容后重试。",
        "Free some space or enlarge the disk, then try again.",
    ),
    "image.folder_not_writable": _error(
        "无法写入镜像库 {path}。",
        "The image library {path} cannot be written.",
        "请检查目录权限,以及所在文件系统是否只读或有故障。",
        "Check the permissions of the directory and whether its file system is read-only or failing.",
    ),
    "image.url_malformed": _error(
        "镜像地址格式不正确。",
        "The address of the image is not well formed.",
        "地址应为 https://主机/路径,不能带用户名和密码。",
        "It should read https://host/path, without user name or password.",
    ),
    "image.url_scheme": _error(
        "不支持从 {scheme} 地址导入镜像。",
        "Images are not imported from {scheme} addresses.",
        "请使用 https 或 http 地址,或先下载到控制器所在机器再按路径导入。",
        "Use an https or http address, or copy the file to the controller's machine and import it by path.",
    ),
    "image.url_host_not_allowed": _error(
        "主机 {host} 不在允许的镜像来源名单中。",
        "The host {host} is not on the list of allowed image sources.",
        "如确需使用,请由平台运维人员把它加入镜像来源名单。",
        "If it is needed, have it added to the list of image sources.",
    ),
    "image.url_address_not_allowed": _error(
        "主机 {host} 解析到内部地址 {address},不允许从该地址下载。",
        "The host {host} has the internal address {address}, from which nothing is fetched.",
        "如果这是内部镜像站,请由平台运维人员把其网段加入允许名单。",
        "If this is a mirror of your own, have its network added to the list of allowed networks.",
    ),
    "image.url_redirected": _error(
        "镜像地址被重定向(HTTP {status});出于安全考虑不跟随重定向。",
        "The address redirects elsewhere (HTTP {status}); redirects are not followed, for safety.",
        "请直接给出最终下载地址。",
        "Give the final address of the file.",
    ),
    "image.fetch_refused": _error(
        "镜像服务器没有给出文件(HTTP {status})。",
        "The server did not give the file (HTTP {status}).",
        "请检查地址是否正确、文件是否仍在。",
        "Check the address and that the file is still there.",
    ),
    "image.fetch_failed": _error(
        "从 {host} 下载镜像失败。",
        "Fetching the image from {host} failed.",
        "请检查网络、域名解析和证书,稍后重试;不会留下半成品。",
        "Check the network, name resolution and certificate, then try again; nothing half-copied is left.",
    ),
    "image.fetch_timeout": _error(
        "从 {host} 下载镜像超时({seconds} 秒)。",
        "Fetching the image from {host} took longer than {seconds} s.",
        "请稍后重试,或先下载到控制器所在机器再按路径导入。",
        "Try again later, or copy the file to the controller's machine and import it by path.",
    ),
}
