"""Images: uploaded once, and only with the bytes their hash promises."""

from dataclasses import replace

from drivers.conformance.check import check
from drivers.conformance.scene import Scene, code_of, expect, expect_fault
from drivers.faults import Permanent
from drivers.protocol import ImageSource

WRONG_SHA256 = "0" * 64


@check(probes=("upload_count",))
def an_image_is_uploaded_once(scene: Scene) -> None:
    """Asking again, also on another connection, moves no bytes."""
    harness = scene.harness
    if harness.upload_count is None:
        return
    scene.driver.ensure_image(harness.image, harness.storage_pool)
    before = harness.upload_count()
    scene.driver.ensure_image(harness.image, harness.storage_pool)
    other = harness.open_driver()
    other.ensure_image(harness.image, harness.storage_pool)
    other.close()
    expect(harness.upload_count() == before, "the image was uploaded again")


@check()
def a_corrupt_image_is_refused(scene: Scene) -> None:
    """Bytes that do not have the promised hash are refused for good, the second time too."""
    image = _corrupt(scene)
    for _ in range(2):
        fault = expect_fault(
            Permanent,
            lambda: scene.driver.ensure_image(image, scene.harness.storage_pool),
            "an image with the wrong hash was accepted",
        )
        expect(code_of(fault) == "image.corrupt", f"it says {code_of(fault)}")


@check(probes=("holds_image",))
def a_corrupt_image_leaves_nothing(scene: Scene) -> None:
    """Nothing of a refused image stays in the pool, and the good one of the same bytes is accepted."""
    image, pool = _corrupt(scene), scene.harness.storage_pool
    expect_fault(Permanent, lambda: scene.driver.ensure_image(image, pool), "an image with the wrong hash was accepted")
    probe = scene.harness.holds_image
    expect(probe is None or not probe(image), "the refused image is still in the pool")
    scene.driver.ensure_image(scene.harness.image, pool)
    expect(probe is None or probe(scene.harness.image), "the good image is not in the pool")


def _corrupt(scene: Scene) -> ImageSource:
    return replace(scene.harness.image, image_id=scene.harness.new_id("image"), sha256=WRONG_SHA256)


CHECKS = (an_image_is_uploaded_once, a_corrupt_image_is_refused, a_corrupt_image_leaves_nothing)
