"""Every text a user sees, in Chinese and English: one catalogue, one module per subject."""
