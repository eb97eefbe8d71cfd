"""Back ends. They know values of ``inventory.domain`` and nothing else of ours."""
