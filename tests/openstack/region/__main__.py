"""``python -m tests.openstack.region up | down | purge | status``."""

import sys

from tests.openstack.region.region import main

sys.exit(main(sys.argv[1:]))
