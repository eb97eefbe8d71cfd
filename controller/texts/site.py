"""Texts of the site import (what fields alone cannot tell; the document's own texts stand in ``documents``)."""

from collections.abc import Mapping

from controller.texts.text import Actor, Text


def _site(zh: str, en: str, cure_zh: str, cure_en: str) -> Text:
    return Text(zh=zh, en=en, cure_zh=cure_zh, cure_en=cure_en, actor=Actor.OPERATOR)


TEXTS: Mapping[str, Text] = {
    "site.department_below_itself": _site(
        "部门 {department} 不能移到自己的下级 {parent} 之下。",
        "Department {department} cannot be moved below {parent}, which stands below it.",
        "请改正上级部门；要对调两级，请分两次导入。",
        "Correct the parent; to swap two levels, import twice.",
    ),
    "site.move_exceeds_quota": _site(
        "移动部门 {departments} 后，{scope} 的 {dimension} 用量 {used} 会超过上限 {limit}。",
        "With {departments} moved, {scope} would hold {used} of {dimension}, over its limit {limit}.",
        "请先提高该上级的配额，或先释放资源，再移动部门。",
        "Raise that limit or release resources first, then move the department.",
    ),
    "site.processors_in_use": _site(
        "宿主机 {host} 上还有已承诺的资源（{used}），不能改变专用处理器与共享处理器的划分。",
        "Host {host} has promises ({used}); which of its processors are dedicated and which are shared cannot change.",
        "请先腾空该宿主机（allot host drain），再导入。",
        "Empty the host first (allot host drain), then import.",
    ),
    "site.too_many_traits": _site(
        "全部宿主机共有 {count} 种特性，最多 {highest} 种。",
        "All hosts together have {count} different traits; placement tells {highest} apart.",
        "请合并或删去不再使用的特性。",
        "Merge traits, or drop those nobody asks for.",
    ),
    "site.unknown_trait": _site(
        "规格 {size} 要求特性“{trait}”，没有宿主机具备它。",
        "Size {size} asks for the trait “{trait}”, which no host has.",
        "已登记的特性：{known}。请更正，或先在宿主机上登记该特性。",
        "Known traits: {known}. Correct it, or give it to a host first.",
    ),
    "site.project_in_use": _site(
        "项目 {project} 下还有未释放的信息系统，不能改到其他部门。",
        "Project {project} still has systems and cannot change its department.",
        "请先释放这些系统，或为新部门另立项目。",
        "Release its systems first, or make another project for the new department.",
    ),
    "site.zone_in_use": _site(
        "区域 {zone} 的地址段 {range}（子网前缀 {prefix}）已有子网在使用，只能扩大为包含原地址段的地址段。",
        "Subnets of zone {zone} are in use; its range {range} with prefix {prefix} can only become a wider one that contains it.",
        "请保留原地址段和子网前缀，或写一个包含原地址段的更大地址段；否则请新建一个区域。",
        "Keep range and prefix, or write a wider range that contains this one; otherwise make another zone.",
    ),
    "site.pool_in_use": _site(
        "资源池 {pool} 中已有宿主机（例如 {host}），不能更换区域或驱动。",
        "Pool {pool} has hosts ({host}); its zone and driver cannot change.",
        "请新建资源池，再把空闲的宿主机移过去。",
        "Make a new pool and move empty hosts to it.",
    ),
    "site.image_changed": _site(
        "镜像 {image} 已登记为另一份内容（SHA-256 {sha256}）；已有云主机可能建立在它之上，不能替换。",
        "Image {image} stands for other content (SHA-256 {sha256}); machines may be built on it, so it is not replaced.",
        "请给新镜像起新的名称，例如加上版本号。",
        "Give the new image a new name, for example with its version.",
    ),
    "site.file_without_base": _site(
        "文件 {file} 是相对路径，但这种导入方式没有所在目录。",
        "{file} is a relative file name, and this way of importing has no directory to start from.",
        "请改用绝对路径或 url，或在控制器上用 allot import 导入该文件。",
        "Write an absolute path or a url, or import the document beside its files on the controller.",
    ),
    "site.host_in_service": _site(
        "宿主机 {host} 处于 {state} 状态，不能修改连接地址。",
        "Host {host} is {state}; its connection cannot change.",
        "请先把它设为 maintenance。",
        "Set it to maintenance first.",
    ),
    "site.storage_class_fixed": _site(
        "存储池 {storage_pool} 已登记为 {known} 类，不能改类别。",
        "Storage pool {storage_pool} is registered as class {known}; its class cannot change.",
        "请另建一个存储池给新的类别。",
        "Make another storage pool for the new class.",
    ),
    "site.price_fixed": _site(
        "计量项 {meter} 自 {date} 起的单价 {yuan} 元已经生效，不能修改。",
        "The price {yuan} of {meter} from {date} is in force and cannot change.",
        "请新增一条将来日期生效的单价；已发生的费用用调整单更正。",
        "Add a price from a future date; correct past charges by an adjustment.",
    ),
    "site.price_in_past": _site(
        "计量项 {meter} 的新单价从过去的日期 {date} 起生效，会改变已发生的费用。",
        "A new price of {meter} from the past date {date} would change what was charged already.",
        "请把生效日期改为将来的日期。",
        "Use a date in the future.",
    ),
    "image.unknown": _site(
        "没有名为 {image} 的镜像。",
        "There is no image {image}.",
        "请核对名称，allot image list 列出全部镜像。",
        "Check the name; allot image list shows them all.",
    ),
    "image.name_taken": _site(
        "镜像名称 {image} 已登记为另一份内容（SHA-256 {sha256}）。",
        "The image name {image} stands for other content (SHA-256 {sha256}).",
        "请换一个名称，例如加上版本号；已有镜像见 allot image list。",
        "Use another name, for example with a version; allot image list shows those there are.",
    ),
}
