"""OpenStack regions as a back end. ``driver.open_driver`` is the door; nothing here is imported until a pool uses it."""
