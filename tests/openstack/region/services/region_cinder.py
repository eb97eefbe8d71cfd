"""Cinder's own fake back end, with a size, and with image copies and growing that touch no disk."""

from cinder.tests import fake_driver

CAPACITY_GB = "20000.00"


class RegionVolumeDriver(fake_driver.FakeLoggingVolumeDriver):
    """Volumes that are records."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.backend_name = self.configuration.safe_get("volume_backend_name")

    def _update_volume_stats(self):
        self.vg.vg_size = self.vg.vg_free_space = CAPACITY_GB
        super()._update_volume_stats()

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        """Copy nothing."""

    def extend_volume(self, volume, new_size):
        """Grow nothing."""
