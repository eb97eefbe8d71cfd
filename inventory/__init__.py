"""Vocabulary (``domain``) and record room (``store``) of the platform."""
