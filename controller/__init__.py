"""The controller: the only room that knows all others."""
